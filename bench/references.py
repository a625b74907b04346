"""`gate refs` over 2,000 files beside what it cannot do without: reading and hashing them, and parsing the YAML ones.

All in this process and on one core: what is compared is the work, not how long an interpreter takes to start.
"""

from __future__ import annotations

import hashlib
import resource
from pathlib import Path
from typing import Final

import yaml

from bench.measures import Line
from bench.shop import Shop
from bench.timing import Contestant, inside, one_core, take_turns
from gate.pipeline.refs import find_references
from gate.sources.yaml_tree import LOADER

_FILES: Final = 2000
_CONTAINER: Final = """        - name: c{number}
          image: registry.example/team/app{number}:1.{number}
          ports: [{{containerPort: 80}}]
          env:
            - {{name: A, value: b}}
          resources: {{limits: {{cpu: 1, memory: 1Gi}}}}
"""
_HEAD: Final = (
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  template:\n    spec:\n      containers:\n"
)
_MANIFEST: Final = _HEAD + "".join(_CONTAINER.format(number=number) for number in range(3))
_SOURCE: Final = "package x\n\n" + "func main() { println(1) }\n" * 120


def references(shop: Shop, rounds: int) -> list[Line]:
    """Measure a repository of which a twentieth are manifests, and one of manifests alone."""
    mixed, manifests = shop.root / "mixed", shop.root / "manifests"
    _write(mixed, every=20)
    _write(manifests, every=1)
    contestants: dict[str, Contestant] = {
        "mixed": inside(lambda: _find(mixed)),
        "hash": inside(lambda: _hash(mixed)),
        "manifests": inside(lambda: _find(manifests)),
        "yaml": inside(lambda: _parse(manifests)),
    }
    with one_core():
        times = take_turns(contestants, rounds)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _find(manifests)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return [
        Line(
            what=f"{_FILES} files: `gate refs` / reading and hashing them",
            seen=times["mixed"].ratio_to(times["hash"]),
            aim=3,
        ),
        Line(
            what=f"{_FILES} manifests: `gate refs` / a YAML parser alone",
            seen=times["manifests"].ratio_to(times["yaml"]),
            aim=2,
        ),
        Line(what="… `gate refs`, the files of all kinds", seen=times["mixed"].median, unit="s"),
        Line(what="… `gate refs`, the manifests", seen=times["manifests"].median, unit="s"),
        Line(what="… memory that another run adds", seen=grown, unit="MB", aim=20),
    ]


def _write(folder: Path, *, every: int) -> None:
    for number in range(_FILES):
        path = folder / f"d{number % 40}" / (f"k{number}.yaml" if number % every == 0 else f"f{number}.go")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_MANIFEST if number % every == 0 else _SOURCE, encoding="utf-8")


def _find(folder: Path) -> None:
    find_references([folder], check_deadline=lambda: None)


def _hash(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            hashlib.sha256(path.read_bytes()).hexdigest()


def _parse(folder: Path) -> None:
    for path in sorted(folder.rglob("*.yaml")):
        list(yaml.load_all(path.read_text(encoding="utf-8"), Loader=LOADER))
