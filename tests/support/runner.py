"""A runner of composite actions, as far as ours needs one: expressions in `env`, `if` and `with`, and files of the platform.

A `run` text is given to bash as it stands, as the real runner does after it has put expressions in; so a test sees that no
expression stands in one, where an input would become part of the script.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.sources import ROOT

_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")
_CHOICE = re.compile(r"inputs\.([\w-]+) == '(\w+)'(?: && '(\w+)' \|\| '(\w+)')?")


@dataclass(slots=True, kw_only=True)
class Runner:
    """One job: its temporary folder, its workspace and what steps wrote."""

    temp: Path
    workspace: Path
    environ: dict[str, str] = field(default_factory=dict)
    action: dict[str, Any] = field(default_factory=lambda: yaml.safe_load((ROOT / "action.yml").read_text()))

    def run(self, step_id: str, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run one step of the action by its id or name; an input is named with `_` for `-`."""
        given = {name: spec.get("default", "") for name, spec in self.action["inputs"].items()}
        given |= {name.replace("_", "-"): value for name, value in inputs.items()}
        assert set(given) == set(self.action["inputs"])
        (step,) = (item for item in self.action["runs"]["steps"] if step_id in {item.get("id"), item.get("name")})
        assert "${{" not in step["run"]
        environment = {
            **self._platform(),
            **{name: self._value(text, given) for name, text in step.get("env", {}).items()},
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.workspace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def outputs(self) -> dict[str, str]:
        """Return what the steps wrote to `GITHUB_OUTPUT`, read as the runner reads it."""
        text = (self.temp / "output").read_text(encoding="utf-8")
        assert "<<" not in text
        return dict(line.split("=", 1) for line in text.splitlines())

    def summary(self) -> str:
        """Return the summary of the steps."""
        place = self.temp / "summary"
        return place.read_text(encoding="utf-8") if place.exists() else ""

    def _platform(self) -> dict[str, str]:
        (self.temp / "output").touch()
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temp),
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTION_PATH": str(ROOT),
            "GITHUB_OUTPUT": str(self.temp / "output"),
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
            **self.environ,
        }

    @staticmethod
    def _value(text: str, inputs: dict[str, str]) -> str:
        def evaluate(match: re.Match[str]) -> str:
            expression = match[1]
            if expression.startswith("inputs.") and expression.removeprefix("inputs.") in inputs:
                return inputs[expression.removeprefix("inputs.")]
            choice = _CHOICE.fullmatch(expression)
            assert choice is not None, expression
            return choice[3] if inputs[choice[1]] == choice[2] else choice[4]

        return _EXPRESSION.sub(evaluate, text)
