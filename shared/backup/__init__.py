"""A town's backup: what a restored town needs and cannot make again, taken while the town runs, and provable.

    DIR/manifest.json               what was taken, written last: a folder without it is no backup
    DIR/<service>/<table>.copy.gz   the rows of record.* and work.*, as COPY's text; read models are made anew from them
    DIR/keys.copy.gz                the keys of sealed texts, unless they lie elsewhere
    DIR/plans/                      the plan files; DIR/policy, whose signatures make a checkpoint count

No secret is in here: neither the master key nor a password, a token's key, the signer's or a witness's.
"""
