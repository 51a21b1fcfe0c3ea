"""No core dumps: the memory of a process that takes a tip holds the informant's words in clear."""

import ctypes
import resource
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_core_dumps() -> None:
    """For this process and, by the limit, for the servers it starts.

    The limit alone would not do: where the kernel hands dumps to a program (systemd-coredump, apport), it is not asked.
    Besides, only root may then look into the memory and the environment of this process.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
