"""The most memory that the gate's own process held, its children not counted.

`python -m bench.memory FILE ARGUMENTS...` runs the command line in this process and writes the kernel's high-water mark
(`VmHWM` of proc(5), in KiB) to FILE. The resource usage that a parent gets would be the largest of all descendants: that of
a scanner.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gate.cli.main import cli


def peak_kib() -> int:
    """Return the most that this process held so far; raises OSError where there is no proc file system."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    if found is None:
        raise OSError("/proc/self/status has no VmHWM")
    return int(found[1])


def main(target: Path, arguments: list[str]) -> None:
    """Run the command; the interpreter ends with its exit code."""
    try:
        cli.main(arguments)
    finally:
        target.write_text(str(peak_kib()), encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
