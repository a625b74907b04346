"""The cases from public reports: each makes its own input, calls the gate as a user does, and knows the right answer.

They stand beside the checkout, not in it (`GATE_CASES_DIR`, or `../shared/cases`); where they are not, nothing runs here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from tests.support.installation import Installation

_CHECKOUT: Final = Path(__file__).parents[2]
_SECONDS: Final = 600
# A case that is not right yet, and why. Strict: one that was mended must be taken off this list.
NOT_RIGHT_YET: Final[Mapping[str, str]] = MappingProxyType(
    {
        # Its last run finds every blob in the cache, by digest, and asks no store; with an empty cache it is right.
        "21-blobs-on-a-private-host": "what was pulled once is judged again without the registry",
    }
)


def _folder() -> Path:
    return Path(os.environ.get("GATE_CASES_DIR") or _CHECKOUT.parent / "shared" / "cases")


def _names() -> list[str]:
    return sorted(run.parent.name for run in _folder().glob("*/run"))


def _parameters() -> list[object]:
    return [
        pytest.param(name, marks=pytest.mark.xfail(reason=NOT_RIGHT_YET[name]) if name in NOT_RIGHT_YET else ())
        for name in _names()
    ]


pytestmark = [
    pytest.mark.real_tools,
    pytest.mark.slow,
    pytest.mark.skipif(not _names(), reason="there are no cases in GATE_CASES_DIR"),
]


@pytest.mark.parametrize("name", _parameters())
def test_the_case_has_its_right_answer(name: str, installed: Installation, tmp_path: Path) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "TMPDIR": str(tmp_path),
        "GATE": str(Path(sys.executable).with_name("gate")),
        "GATE_TOOLS_DIR": str(installed.tools),
        "GATE_DB_DIR": str(installed.databases),
    }
    done = subprocess.run(
        [sys.executable, str(_folder() / name / "run")],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_SECONDS,
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, said
    # A script that ended early would be no answer.
    assert "RIGHT: " in said.splitlines()[-1], said


def test_each_entry_of_the_list_is_a_case() -> None:
    assert set(NOT_RIGHT_YET) <= set(_names())
