"""The schema of SARIF 2.1.0 as OASIS publishes it, from the pinned sources of Grype, which hold it for their own tests."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tools.build import ROOT
from tools.go import go_program

_INSIDE = "grype/presenter/sarif/testdata/sarif-schema-2.1.0.json"


def sarif_schema() -> dict[str, Any]:
    """Return the schema; Go fetches the module where its cache has it not, and checks it against `go.sum`."""
    folder = ROOT / "tools" / "grype"
    done = subprocess.run(
        [go_program(), "mod", "download", "-json", "github.com/anchore/grype"],
        cwd=folder,
        env={**os.environ, "GOFLAGS": "-mod=mod", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    module = Path(json.loads(done.stdout)["Dir"])
    schema: dict[str, Any] = json.loads((module / _INSIDE).read_text(encoding="utf-8"))
    return schema
