"""Which images a command is asked about: references on the command line, and those that a file lists."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

import click

from gate.cli.common import with_options
from gate.cli.types import NAMED_AT, PLACE
from gate.disk.named import read_named
from gate.errors import UsageError
from gate.report.content import NamedAt

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_IMAGES: Final = 10_000
_LIMIT_BYTES: Final = 4 * 1024 * 1024
_STANDARD_INPUT: Final = Path("-")
# A comment begins a line or follows a blank: `#` stands in no reference.
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
# A reference whose registry is written out, or a scheme; whether it is a valid one is judged like any other.
_REFERENCE: Final = re.compile(
    r"(?:oci|archive|disk|rootfs):\S+"
    r"|(?:localhost|[\w-]+(?:\.[\w-]+)+|\[[0-9a-fA-F:]+\])(?::\d+)?/[\w./:@-]+",
    re.ASCII,
)

images_options = with_options(
    click.option(
        "--images",
        type=PLACE,
        envvar="GATE_IMAGES",
        help="A file with a reference a line, or - for standard input; # begins a comment.",
    ),
    click.option(
        "--named-at",
        type=NAMED_AT,
        envvar="GATE_NAMED_AT",
        help="The file, and the line as FILE:LINE, that name the image: annotations and SARIF point there.",
    ),
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A reference as it was given, and where a repository names it."""

    reference: str
    named_at: NamedAt | None


def asked_images(references: tuple[str, ...], file: Path | None, named_at: NamedAt | None) -> tuple[Asked, ...]:
    """Return every image that is asked about, in order, each once; those of a file are named at their line of it.

    Raises:
        UsageError: no image, too many, or a file that is no list of references.
    """
    found = [Asked(reference, named_at) for reference in references]
    if file is not None:
        found += _listed(file, named_at)
    first: dict[str, Asked] = {}
    for item in found:
        first.setdefault(item.reference, item)
    distinct = tuple(first.values())
    if not distinct:
        raise UsageError("no image is asked about", expected="REF, or --images with a reference a line", seen="none")
    if len(distinct) > MOST_IMAGES:
        raise UsageError("too many images", expected=f"at most {MOST_IMAGES}", seen=str(len(distinct)))
    return distinct


def require_one(option: str, value: object, asked: tuple[Asked, ...]) -> None:
    """Refuse an option whose file is of one image where several are asked about; raises UsageError."""
    if value is not None and len(asked) > 1:
        raise UsageError(f"{option} is for one image", expected="one reference", seen=f"{len(asked)} references")


def _listed(file: Path, named_at: NamedAt | None) -> Iterator[Asked]:
    for number, line in enumerate(_text(file).splitlines(), 1):
        reference = _COMMENT.sub("", line).strip()
        if not reference:
            continue
        if not _REFERENCE.fullmatch(reference):
            # Another kind of file may have been named by mistake, so nothing of it is shown.
            raise UsageError(
                f"line {number} of the list of images is no reference",
                expected="registry.example/repository@sha256:..., with the registry written out, oci:DIR or archive:FILE",
                seen=f"{len(reference)} characters",
            )
        yield Asked(reference, named_at or _line_of(file, number))


def _text(file: Path) -> str:
    content = (
        sys.stdin.buffer.read(_LIMIT_BYTES + 1)
        if file == _STANDARD_INPUT
        else read_named(file, "the list of images", limit_bytes=_LIMIT_BYTES)
    )
    if len(content) > _LIMIT_BYTES:
        raise UsageError("the list of images is too long", expected=f"at most {_LIMIT_BYTES} bytes", seen="more")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError("the list of images is no text", expected="UTF-8", seen=f"{len(content)} bytes") from error


def _line_of(file: Path, number: int) -> NamedAt | None:
    """Return the line of a file of the working directory; others cannot be pointed at in a repository."""
    if file == _STANDARD_INPUT:
        return None
    try:
        inside = file.absolute().relative_to(Path.cwd())
    except ValueError:
        return None
    return NamedAt(file=str(PurePosixPath(inside)), line=number)
