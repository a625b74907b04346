"""Kinds of values that options take: parsed once, into types that cannot be wrong.

Each says in its error what it expects. `PlaceType` is known to the configuration file, whose relative paths are relative to
the file's own folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from gate.errors import GateError
from gate.model.digest import Digest
from gate.model.finding import Severity
from gate.model.image import Platform
from gate.model.reference import Repository, parse_repository
from gate.report.formats import Format

_DURATION: Final = re.compile(r"([1-9][0-9]{0,7})([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PLATFORM: Final = re.compile(r"[a-z0-9]{1,20}/[a-z0-9_]{1,20}(?:/[a-z0-9.]{1,20})?", re.ASCII)
# A prefix that looks like a format's name is one: `sraif=x` is a slip, not a file. `./a=b` names a file.
_FORMAT_PREFIX: Final = re.compile(r"([a-z][a-z0-9-]*)=(.*)", re.ASCII | re.DOTALL)
# Reserved: refused, no sense, not judged, defect. Another number than 1 for "refused" must not be taken for one of them.
_TAKEN_EXIT_CODES: Final = frozenset({2, 3, 4})


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a report is written to; `form` None takes that of `--format`, and then nothing goes to standard output."""

    path: Path
    form: Format | None = None


class DurationType(click.ParamType):
    """`30s`, `15m`, `48h`, `7d`."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Give the duration."""
        if isinstance(value, timedelta):
            return value
        match = _DURATION.fullmatch(str(value))
        if match is None:
            self.fail(f"expected a duration as 30s, 15m, 48h or 7d, saw {str(value)[:40]!a}", param, ctx)
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


class PlaceType(click.ParamType):
    """A path; whether it is there is said by whoever opens it."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Give the path."""
        text = str(value)
        if not text or "\0" in text:
            self.fail("expected a path, saw nothing", param, ctx)
        return Path(text)

    def relative_to(self, folder: Path, value: str) -> str:
        """Give a value of a configuration file in this folder as it would be given on the command line."""
        return str(folder / value)


class OutputType(PlaceType):
    """`FILE` or `FORMAT=FILE`."""

    name = "[FORMAT=]file"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Output:  # type: ignore[override]
        """Give the file with its format."""
        if isinstance(value, Output):
            return value
        form, place = split_output(str(value))
        if form is not None and form not in set(Format):
            self.fail(f"expected one of {', '.join(Format)} before '=', saw {form[:40]!a}", param, ctx)
        path = super().convert(place, param, ctx)
        if path.name in {"", "-"}:
            self.fail("expected the name of a file; without --output the report goes to standard output", param, ctx)
        return Output(path, Format(form) if form is not None else None)

    def relative_to(self, folder: Path, value: str) -> str:
        """Give the value with its path relative to the folder."""
        form, place = split_output(value)
        return f"{form}={folder / place}" if form is not None else str(folder / place)


def split_output(text: str) -> tuple[str | None, str]:
    """Give the format that stands before the file, or None, and the file."""
    match = _FORMAT_PREFIX.fullmatch(text)
    return (match[1], match[2]) if match else (None, text)


class RecordType(PlaceType):
    """A file or a database URL."""

    name = "file|url"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:  # type: ignore[override]
        """Give the text: what it names is said by the record."""
        return str(super().convert(value, param, ctx)) if "://" not in str(value) else str(value)

    def relative_to(self, folder: Path, value: str) -> str:
        """Give a URL as it is, a file relative to the folder."""
        return value if "://" in value else super().relative_to(folder, value)


class SeveritiesType(click.ParamType):
    """Severities with commas between them, in any case, as Trivy and Grype write them."""

    name = "severity[,...]"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[Severity]:
        """Give the set; an empty one is refused."""
        if isinstance(value, frozenset):
            return value
        words = [word.strip().lower() for word in str(value).split(",")]
        if unknown := [word for word in words if word not in set(Severity)]:
            self.fail(f"expected {', '.join(Severity)}, saw {unknown[0][:40]!a}", param, ctx)
        return frozenset(Severity(word) for word in words)


class PlatformType(click.ParamType):
    """`linux/arm64` or `linux/arm/v7`."""

    name = "os/arch"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Platform:
        """Give the platform."""
        if isinstance(value, Platform):
            return value
        if not _PLATFORM.fullmatch(str(value)):
            self.fail(f"expected a platform as linux/amd64 or linux/arm/v7, saw {str(value)[:40]!a}", param, ctx)
        return Platform(*str(value).split("/"))


class RepositoryType(click.ParamType):
    """`registry/repository`, without tag or digest."""

    name = "repository"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Repository:
        """Give the repository, normalised; a malformed one is `REF_MALFORMED`."""
        return value if isinstance(value, Repository) else parse_repository(str(value))


class ExitCodeType(click.IntRange):
    """A number for "refused" that is none of the other exit codes."""

    def __init__(self) -> None:
        super().__init__(0, 125)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Give the number."""
        number: int = super().convert(value, param, ctx)
        if number in _TAKEN_EXIT_CODES:
            self.fail(f"{number} has a meaning of its own; expected 0, 1 or 5 to 125", param, ctx)
        return number


class DocumentOrDigestType(PlaceType):
    """A policy that a stage accepts: its file or its digest."""

    name = "file|sha256:..."

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path | Digest:  # type: ignore[override]
        """Give the digest, or the path of a file whose digest is meant."""
        if isinstance(value, Digest):
            return value
        try:
            return Digest(str(value)) if str(value).startswith("sha256:") else super().convert(value, param, ctx)
        except GateError as error:
            self.fail(str(error), param, ctx)

    def relative_to(self, folder: Path, value: str) -> str:
        """Give a digest as it is, a file relative to the folder."""
        return value if value.startswith("sha256:") else str(folder / value)


DURATION: Final = DurationType()
PLACE: Final = PlaceType()
OUTPUT: Final = OutputType()
RECORD: Final = RecordType()
SEVERITIES: Final = SeveritiesType()
PLATFORM: Final = PlatformType()
REPOSITORY: Final = RepositoryType()
EXIT_CODE: Final = ExitCodeType()
DOCUMENT_OR_DIGEST: Final = DocumentOrDigestType()
