"""Write one part of the corpus: files under a folder, and a label for each.

Parts are disjoint in (kind, carrier) pairs and in random values: what rules were developed on tells nothing about the rest. The
values of the measured part come from code that shares nothing with the rules (`independent`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final

from gate.secrets.examples import ExampleMaker
from tools.secrets_corpus.carriers import CARRIERS
from tools.secrets_corpus.independent import IndependentMaker
from tools.secrets_corpus.kinds import KINDS, Kind
from tools.secrets_corpus.negatives import VALUES, read_negative_files

SEED: Final = "supply-chain-gate secrets 1"
LABELS: Final = "labels.jsonl"
FILES_FOLDER: Final = "files"
_VARIANTS: Final = 28
# Files of megabytes: one kind in six, for peers read them slowly.
_HEAVY: Final = frozenset({"deep", "chunk-border"})
_HEAVY_EVERY: Final = 6


class Part(StrEnum):
    """What the file is for: developing rules on, or measuring them alone."""

    DEVELOP = "develop"
    MEASURED = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A file of the corpus, relative to its folder; `is_secret` holds for all of it."""

    path: str
    kind: str
    carrier: str
    is_secret: bool


def write_corpus(folder: Path, part: Part, seed: str = SEED) -> tuple[Label, ...]:
    """Write the files of a part and `labels.jsonl`, and give the labels in order."""
    labels = []
    for number, (label, content) in enumerate(_files(part, seed)):
        # A folder a file, so that each can have the name that a carrier needs.
        relative = f"{number:05d}/{label.path}"
        target = folder / FILES_FOLDER / relative
        target.parent.mkdir(parents=True)
        target.write_bytes(content)
        labels.append(Label(path=relative, kind=label.kind, carrier=label.carrier, is_secret=label.is_secret))
    lines = (json.dumps(asdict(label), sort_keys=True) + "\n" for label in labels)
    (folder / LABELS).write_text("".join(lines), encoding="utf-8")
    return tuple(labels)


def read_labels(folder: Path) -> tuple[Label, ...]:
    """Return the labels of a written part."""
    return tuple(Label(**json.loads(line)) for line in (folder / LABELS).read_text("utf-8").splitlines())


def part_of(*names: str) -> Part:
    """Return the part that a combination belongs to: half of them each, whatever the seed."""
    return (Part.DEVELOP, Part.MEASURED)[sha256("/".join(names).encode()).digest()[0] & 1]


def maker_of(part: Part, seed: str) -> ExampleMaker | IndependentMaker:
    """Return what fills templates in for a part."""
    return IndependentMaker(seed) if part is Part.MEASURED else ExampleMaker(seed)


def _files(part: Part, seed: str) -> Iterator[tuple[Label, bytes]]:
    yield from _planted(KINDS, part, seed, is_secret=True)
    yield from _planted(VALUES, part, seed, is_secret=False)
    for one in read_negative_files():
        for variant in range(_VARIANTS):
            if part_of("file", one.name, str(variant)) is part:
                text = maker_of(part, f"{seed}/{one.name}/{variant}").fill(one.content)
                yield Label(path=one.path, kind=one.name, carrier="file", is_secret=False), text.encode()


def _planted(kinds: tuple[Kind, ...], part: Part, seed: str, *, is_secret: bool) -> Iterator[tuple[Label, bytes]]:
    for number, kind in enumerate(kinds):
        for name, carrier in CARRIERS.items():
            if part_of(kind.id, name) is not part or (name in _HEAVY and number % _HEAVY_EVERY):
                continue
            value = maker_of(part, f"{seed}/{kind.id}/{name}").fill(kind.template)
            path, content = carrier(kind.variable, value)
            yield Label(path=path, kind=kind.id, carrier=name, is_secret=is_secret), content
