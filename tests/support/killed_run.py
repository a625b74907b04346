"""One `gate check` in a process that kills itself: `python -m tests.support.killed_run ORDER`.

ORDER is a JSON object: `root` of the installation, `own` folder of the record, `reference`, `cold` cache or not, `kill_at`.
The process counts the calls of the gate's own functions in its main thread and sends itself SIGKILL at the call numbered
`kill_at`; so a point is random by its seed and the same on every machine, however fast it is. With 0 it runs to its end and
prints `{"calls": N, "recorded_at": M, "reused": B, "decision": D}`, where M numbers the call that appended the verdict.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import gate
from tests.support.installation import Installation

_PACKAGE: Final = str(Path(gate.__file__).parent)


@dataclass(slots=True)
class Counter:
    """Counts calls, and kills at one of them; 0 lets the run live."""

    kill_at: int
    calls: int = 0
    recorded_at: int = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Take one event of the interpreter."""
        del argument
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_PACKAGE):
            return
        self.calls += 1
        if code.co_name == "record_verdict":
            self.recorded_at = self.calls
        if self.calls == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Follow the order in the first argument."""
    order = json.loads(sys.argv[1])
    installed = Installation(root=Path(order["root"]), digests={})
    options = installed.options(Path(order["own"]), cold=order["cold"])
    counter = Counter(order["kill_at"])
    sys.setprofile(counter)
    run = gate.check(order["reference"], options)
    sys.setprofile(None)
    print(  # noqa: T201
        json.dumps(
            {
                "calls": counter.calls,
                "recorded_at": counter.recorded_at,
                "reused": run.reused,
                "decision": run.verdict.decision.value,
            }
        )
    )


if __name__ == "__main__":
    main()
