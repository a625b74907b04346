"""A whole Debian 12 from today's packages, where mmdebstrap and a Debian mirror are: real, but another each month.

For tests and benchmarks only. The demo uses recorded rows, so that it needs neither apt nor a certain month.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from datetime import datetime
from pathlib import Path

from tools.images.catalog import BuiltImage
from tools.images.layout import Layer, image, layer_of_tar, write_layout
from tools.images.parts import PartError
from tools.images.workshop import Workshop

NAME = "debian-today"


def build_today(out: Path, created: datetime) -> BuiltImage:
    """Write a minbase of Debian 12 (some 170 MB inflated) to `out/debian-today`.

    The same archive and `created` give the same bytes. Raises PartError where it cannot be made.
    """
    shop = Workshop(created=created, parts=out)
    root = image([_minbase(created), shop.application()], shop.config(NAME))
    write_layout(out / NAME, root)
    return BuiltImage(name=NAME, layout=out / NAME, digest=root.digest, expected="whatever Debian has not repaired yet")


def _minbase(created: datetime) -> Layer:
    if shutil.which("mmdebstrap") is None:
        raise PartError("mmdebstrap is not on PATH: apt-get install mmdebstrap")
    mode = "root" if os.geteuid() == 0 else "unshare"
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "root.tar"
        done = subprocess.run(
            ["mmdebstrap", "--quiet", f"--mode={mode}", "--variant=minbase", "bookworm", str(target)],
            env={**os.environ, "SOURCE_DATE_EPOCH": str(int(created.timestamp()))},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise PartError(f"mmdebstrap failed; its last words: {done.stderr[-500:]}")
        return layer_of_tar(target.read_bytes(), created_by="ADD debian-today.tar / # buildkit", level=1)
