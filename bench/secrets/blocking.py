"""What refuses images of ordinary software by default: each finding with the verdict of whoever looked at it, and why.

`seen.yaml` holds the verdicts: `image`, `rule` and `path` (a glob) name findings, `verdict` is `true` (somebody uses that key, or
every container of the image shares it) or `false`, `reason` says why. What is not there was not looked at, and counts as false.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import yaml

from bench.secrets.stock import IMAGES_FOLDER

SEEN: Final = Path(__file__).with_name("seen.yaml")
_NOT_SEEN: Final = "nobody looked at it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking:
    """A finding that refuses an image by default."""

    image: str
    rule: str
    path: str
    is_true: bool
    reason: str


def blocking_of(folder: Path, images: Iterable[str]) -> tuple[Blocking, ...]:
    """Scan each image as a user would, and return what refuses it, each rule once a file."""
    seen = yaml.safe_load(SEEN.read_text(encoding="utf-8"))
    return tuple(
        found
        for image in images
        for found in dict.fromkeys(_judged(image, row, seen) for row in _rows(folder, image) if _refuses(row))
    )


def lines_of(found: Iterable[Blocking], images: tuple[str, ...]) -> Iterable[str]:
    """Yield how many are false an image, how many images pass but for true ones, and each finding with its verdict."""
    rows = tuple(found)
    false = [row for row in rows if not row.is_true]
    passed = len(images) - len({row.image for row in false})
    yield f"{len(images)} images: {len(rows)} findings refuse, {len(false)} of them false; {passed} without a false one"
    for row in rows:
        yield f"  {row.image}: {'true' if row.is_true else 'FALSE'}: {row.rule} in {row.path}: {row.reason}"


def _rows(folder: Path, image: str) -> list[dict[str, str]]:
    program = str(Path(sys.executable).with_name("gate"))
    command = [program, "secrets", "scan", f"oci:{folder / IMAGES_FOLDER / image}", "-f", "json", "--timeout", "30m"]
    rows: list[dict[str, str]] = json.loads(subprocess.run(command, check=False, stdout=subprocess.PIPE).stdout)[
        "secrets"
    ]
    return rows


def _refuses(row: Mapping[str, str]) -> bool:
    is_found = row["state"] == "found"
    return is_found and (row["grade"] == "certain" or (row["grade"] == "likely" and row["origin"] == "own"))


def _judged(image: str, row: Mapping[str, str], seen: Iterable[Mapping[str, str]]) -> Blocking:
    def fits(one: Mapping[str, str]) -> bool:
        return all(fnmatchcase(value, one[key]) for key, value in (("image", image), ("rule", rule), ("path", path)))

    rule, path = row["rule"], row["location"]
    verdict = next(filter(fits, seen), {"verdict": False, "reason": _NOT_SEEN})
    return Blocking(image=image, rule=rule, path=path, is_true=bool(verdict["verdict"]), reason=str(verdict["reason"]))
