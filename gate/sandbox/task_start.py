"""Start a task in this process, after taking from it what no task needs: `gate.sandbox.limited_task` runs this file.

Run by its path with `python -I`; it imports nothing of the gate, so that it starts fast and holds nothing worth stealing.
Arguments: the task's file, seconds of processor time, bytes of address space, bytes of output.

Refuses to be trusted: processor time, memory and output are limited before the task's own code is looked at.
"""

from __future__ import annotations

import resource
import runpy
import sys


def limit(cpu_seconds: int, memory_bytes: int, output_bytes: int) -> None:
    """Take from this process what a task does not need."""
    wanted = (
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_FSIZE, output_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    )
    for kind, most in wanted:
        _, hard = resource.getrlimit(kind)
        new = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (new, new))
        except (OSError, ValueError):
            # macOS does not limit address space: processor time and the parent's clock still end the child there.
            continue


def main() -> None:
    """Limit this process and become the task."""
    task, cpu_seconds, memory_bytes, output_bytes = sys.argv[1:]
    limit(int(cpu_seconds), int(memory_bytes), int(output_bytes))
    runpy.run_path(task, run_name="__main__")


if __name__ == "__main__":
    main()
