"""The signer: a small program of its own that holds the log's key and never signs two histories with it."""
