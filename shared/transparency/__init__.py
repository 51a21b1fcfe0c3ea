"""The Merkle tree over a service's log: bytes in, bytes out."""
