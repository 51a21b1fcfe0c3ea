"""A process that was told so leaves no core, and neither do the servers it starts."""

import subprocess
import sys

LOOK = """
import ctypes, resource, subprocess, sys
from shared.core_dumps import forbid_core_dumps
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
forbid_core_dumps()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
below = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
print(subprocess.run([sys.executable, "-c", below], capture_output=True, text=True).stdout, end="")
"""


def test_a_process_and_its_children_leave_no_core() -> None:
    said = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["1", "0", "(0, 0)"]
