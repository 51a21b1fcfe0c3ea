"""Postgres and NATS from Python wheels, for a machine that has neither: the embedded mode and the tests run on them.

`EmbeddedPostgres` and `EmbeddedNats` outlive the program that started them. When that program is killed, the next
start on the same folder adopts what still runs, and starts what does not.
"""
