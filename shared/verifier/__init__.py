"""Checks an export, an evidence pack, a proof or a receipt of a log, with nothing but Python and `cryptography`.

Written apart from what writes them: its own reading of tiles and envelopes, its own computing of roots. Of ours it uses signed
notes, checkpoints, policies and the checking of proofs, no more.

What is proof: signatures, leaf hashes, tiles, roots, versions without a gap, previous leaves, heads. What is lint, and a doubt
all the same because our writers never write it: a body that is not canonical, an attribute out of form, a time out of reason.
"""
