"""Ports of this machine that nobody else is given."""

import secrets
import socket
import sys

LOOPBACK = "127.0.0.1"
_claims: list[socket.socket] = []  # kept until this program ends


def free_port() -> int:
    """Below the range the kernel takes for outgoing connections, or one of those could hold it at a restart.

    On Linux nobody else who asks here is given it while this program lives, though nobody may listen there yet, or just now.
    """
    while not (_claimed(port := 20_000 + secrets.randbelow(12_000)) and is_free(port)):
        pass
    return port


def _claimed(port: int) -> bool:
    """By a socket whose name is in no folder, and which goes with the program; elsewhere than on Linux nobody can claim."""
    if sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0minewatch port {port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True
