"""Kinds of values that options take: parsed once, into types that cannot be wrong.

Each says in its error what it expects. Those that are `Placed` name files: in a configuration file their relative paths are
relative to the file's own folder.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

from gate.codec.strict_json import Fault
from gate.codec.times import parse_time
from gate.errors import UsageError
from gate.model.digest import Digest
from gate.model.image import Platform
from gate.model.reference import Repository, parse_repository
from gate.model.severity import Severity
from gate.report.content import NamedAt
from gate.report.formats import Format

if TYPE_CHECKING:
    Base = click.ParamType[object]
else:
    Base = click.ParamType  # generic from 8.5 on only

_DURATION: Final = re.compile(r"([1-9][0-9]{0,7})([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZE: Final = re.compile(r"(0|[1-9][0-9]{0,14})([KMGT]?)", re.ASCII)
_SIZE_UNITS: Final = ("", "K", "M", "G", "T")
_PLATFORM: Final = re.compile(r"([a-z0-9]{1,20})/([a-z0-9_]{1,20})(?:/([a-z0-9.]{1,20}))?", re.ASCII)
_EXIT_CODE: Final = re.compile(r"[0-9]{1,3}", re.ASCII)
# A prefix that looks like a format's name is one: `jsn=x` is a slip, not a file. `./a=b` names a file.
_NAMED_AT: Final = re.compile(r"([^\0\r\n:]{1,1000})(?::([1-9][0-9]{0,6}))?")
_FORMAT_PREFIX: Final = re.compile(r"([a-z][a-z0-9-]*)=(.*)", re.ASCII | re.DOTALL)
# Their meanings are fixed: no sense, not judged, a defect. 126 and more belong to shells and signals.
_TAKEN_EXIT_CODES: Final = frozenset({2, 3, 4})
_MOST_EXIT_CODE: Final = 125
_MOMENT_FAULT: Final = Fault(UsageError, "USAGE", "the command line")


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a report is written to; `form` None takes that of `--format`, and then nothing goes to standard output."""

    path: Path
    form: Format | None = None


class Placed(ABC):
    """A kind of value that may name a file."""

    @abstractmethod
    def relative_to(self, folder: Path, value: str) -> str:
        """Return the text of a configuration file in this folder as it would be given on the command line."""


class OptionType(Base):
    """What all kinds share: a value that was converted already stays as it is, as click demands."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Leave the names of files to the shell where the value may be one."""
        del ctx, param
        return [CompletionItem(incomplete, type="file")] if isinstance(self, Placed) else []

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Convert text; click calls it for every value, from wherever it comes."""
        if not isinstance(value, str):
            return value
        try:
            return self.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def parse(self, text: str) -> object:
        """Return the value of a text; raises ValueError with what was expected."""
        raise NotImplementedError


def _unexpected(expected: str, text: str) -> ValueError:
    return ValueError(f"expected {expected}, saw {text[:40]!a}")


class DurationType(OptionType):
    """`30s`, `15m`, `48h`, `7d`."""

    name = "duration"

    def parse(self, text: str) -> timedelta:
        """Return the duration."""
        match = _DURATION.fullmatch(text)
        if match is None:
            raise _unexpected("a duration as 30s, 15m, 48h or 7d", text)
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])


class PlaceType(OptionType, Placed):
    """A path; whether it is there is said by whoever opens it."""

    name = "path"

    def parse(self, text: str) -> object:
        """Return the path."""
        if not text or "\0" in text:
            raise _unexpected("a path", text)
        return Path(text)

    def relative_to(self, folder: Path, value: str) -> str:
        """Join the two."""
        return str(folder / value)


class SourceType(PlaceType):
    """A path of a file to read, which must be there, also where this run happens not to open it."""

    def parse(self, text: str) -> object:
        """Return the path."""
        path = super().parse(text)
        if isinstance(path, Path) and not os.path.lexists(path):
            raise _unexpected("the path of a file, from the working directory; nothing is there", text)
        return path


class OutputType(OptionType, Placed):
    """`FILE` or `FORMAT=FILE`."""

    name = "[format=]file"

    def parse(self, text: str) -> Output:
        """Return the file with its format."""
        form, place = split_output(text)
        if form is not None and form not in set(Format):
            raise _unexpected(f"one of {', '.join(Format)} before '='", form)
        if form is None and place.lower() in set(Format):
            raise _unexpected(
                f"--format {place.lower()}, {place.lower()}=FILE, or ./{place} for a file of that name", place
            )
        if "\0" in place or Path(place).name in {"", "-"}:
            raise _unexpected("the name of a file (standard output needs no option)", place)
        return Output(Path(place), Format(form) if form is not None else None)

    def relative_to(self, folder: Path, value: str) -> str:
        """Join folder and file, behind the format."""
        form, place = split_output(value)
        return f"{form}={folder / place}" if form is not None else str(folder / place)


def split_output(text: str) -> tuple[str | None, str]:
    """Return the format that stands before the file, or None, and the file."""
    match = _FORMAT_PREFIX.fullmatch(text)
    return (match[1], match[2]) if match else (None, text)


class NamedAtType(OptionType):
    """`FILE` or `FILE:LINE`, a relative path of the repository."""

    name = "file[:line]"

    def parse(self, text: str) -> NamedAt:
        """Return the place."""
        match = _NAMED_AT.fullmatch(text)
        if match is None or match[1].startswith("/") or ".." in match[1].split("/"):
            raise _unexpected("a relative path, and the number of a line behind a colon (deploy/web.yaml:12)", text)
        return NamedAt(file=match[1], line=int(match[2] or 1))


class RecordType(OptionType, Placed):
    """A file or a database URL, as text: what it names is said by the record."""

    name = "file-or-url"

    def parse(self, text: str) -> str:
        """Return the text."""
        if not text or "\0" in text:
            raise _unexpected("a file or a database URL", text)
        return text

    def relative_to(self, folder: Path, value: str) -> str:
        """Return a URL as it is, a file relative to the folder."""
        return value if "://" in value else str(folder / value)


class DocumentOrDigestType(OptionType, Placed):
    """A policy that a stage accepts: its file or its digest."""

    name = "file-or-digest"

    def parse(self, text: str) -> Path | Digest:
        """Return the digest, or the path of a file whose digest is meant."""
        return Digest(text) if text.startswith("sha256:") else Path(text)

    def relative_to(self, folder: Path, value: str) -> str:
        """Return a digest as it is, a file relative to the folder."""
        return value if value.startswith("sha256:") else str(folder / value)


class SeveritiesType(OptionType):
    """Severities with commas between them, in any case, as Trivy and Grype write them."""

    name = "severity[,...]"

    def parse(self, text: str) -> frozenset[Severity]:
        """Return the set; an empty word is refused."""
        words = [word.strip().lower() for word in text.split(",")]
        if unknown := [word for word in words if word not in set(Severity)]:
            raise _unexpected(", ".join(Severity), unknown[0])
        return frozenset(Severity(word) for word in words)


class PlatformType(OptionType):
    """`linux/arm64` or `linux/arm/v7`."""

    name = "os/arch"

    def parse(self, text: str) -> Platform:
        """Return the platform."""
        match = _PLATFORM.fullmatch(text)
        if match is None:
            raise _unexpected("a platform as linux/amd64 or linux/arm/v7", text)
        return Platform(match[1], match[2], match[3] or "")


class RepositoryType(OptionType):
    """`registry/repository`, without tag or digest."""

    name = "repository"

    def parse(self, text: str) -> Repository:
        """Return the repository, normalised; raises UsageError `REF_MALFORMED`."""
        return parse_repository(text)


class DigestType(OptionType):
    """`sha256:` and 64 digits."""

    name = "sha256:..."

    def parse(self, text: str) -> Digest:
        """Return the digest; raises UsageError `REF_DIGEST`."""
        return Digest(text)


class SizeType(OptionType):
    """A number of bytes, with a unit of 1024: `500M`, `20G`."""

    name = "size"

    def parse(self, text: str) -> int:
        """Return the number of bytes."""
        match = _SIZE.fullmatch(text)
        if match is None:
            raise _unexpected("a size as 1000000, 500M or 20G", text)
        factor: int = 1024 ** _SIZE_UNITS.index(match[2])
        return int(match[1]) * factor


class ExitCodeType(OptionType):
    """A number for "refused" that is none of the other exit codes."""

    name = "number"

    def parse(self, text: str) -> int:
        """Return the number."""
        number = int(text) if _EXIT_CODE.fullmatch(text) else -1
        if number in _TAKEN_EXIT_CODES or not 0 <= number <= _MOST_EXIT_CODE:
            raise _unexpected("0, 1 or 5 to 125 (2, 3 and 4 mean something else)", text)
        return number


class MomentType(OptionType):
    """`2026-01-01T00:00:00Z`."""

    name = "time"

    def parse(self, text: str) -> datetime:
        """Return the moment as aware UTC; raises UsageError."""
        return parse_time(text, _MOMENT_FAULT, "the option")


class LogKeyType(OptionType, Placed):
    """`URL=FILE`: a transparency log and the file of its key."""

    name = "url=file"

    def parse(self, text: str) -> tuple[str, Path]:
        """Return the address and the file."""
        url, equals, place = text.rpartition("=")
        if not (url and equals and place) or "\0" in place:
            raise _unexpected("https://HOST=FILE", text)
        return url, Path(place)

    def relative_to(self, folder: Path, value: str) -> str:
        """Join folder and file, behind the address."""
        url, _, place = value.rpartition("=")
        return f"{url}={folder / place}"


DURATION: Final = DurationType()
PLACE: Final = PlaceType()
SOURCE: Final = SourceType()
OUTPUT: Final = OutputType()
NAMED_AT: Final = NamedAtType()
RECORD: Final = RecordType()
DOCUMENT_OR_DIGEST: Final = DocumentOrDigestType()
SEVERITIES: Final = SeveritiesType()
PLATFORM: Final = PlatformType()
REPOSITORY: Final = RepositoryType()
DIGEST: Final = DigestType()
SIZE: Final = SizeType()
EXIT_CODE: Final = ExitCodeType()
MOMENT: Final = MomentType()
LOG_KEY: Final = LogKeyType()
