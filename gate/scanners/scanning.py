"""What both scanners have in common: what they are pointed at, with what, and what makes a run of one count.

A run counts when the pinned binary ran on the verified database, ended with 0 and wrote its report whole into a fresh
private file. Everything else is an error of evidence with its own code, never an empty report (attacks V01, V02).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import timedelta
from pathlib import Path
from typing import Final

from gate.clock import Deadline
from gate.codec.strict_json import printable
from gate.codec.values import encode_value
from gate.disk.content import DigestMemo, open_binary
from gate.disk.regular_file import open_regular
from gate.errors import ScannerError
from gate.model.digest import Digest
from gate.model.evidence import Distribution, OsPackage, RawReport
from gate.model.finding import PackageKey
from gate.sandbox.process import ChildLimits, ChildResult, PrivateDirectories, Stopped, run_child
from gate.scanners.tool_pins import PinnedTool

KeepRaw = Callable[[RawReport, bytes], None]
"""Keeps the bytes of a raw report, from which secrets were removed."""

_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# A run needs at least this much to be worth starting: Trivy loads in 0.1 s, Grype in 0.3 s.
_LEAST_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanTarget:
    """One image in an OCI layout of its own, and what the scanners must say of it.

    `layout` is a directory whose `index.json` names this one manifest. `distribution` is the gate's own reading, None
    where there is none; `ecosystems` are the purl types of the language packages that the gate found, `unversioned` and
    `claims` as in `LayerFacts`.
    """

    layout: Path
    manifest: Digest
    config: Digest
    diff_ids: tuple[Digest, ...]
    distribution: Distribution | None = None
    ecosystems: frozenset[str] = frozenset()
    unversioned: frozenset[PackageKey] = frozenset()
    claims: frozenset[tuple[str, OsPackage]] = frozenset()

    @property
    def identity(self) -> str:
        """Return every field in words, but where the layout lies: what a report depends on beside tool and databases."""
        named = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "layout"}
        return Digest.of(b"\0".join(encode_value((name, value)) for name, value in sorted(named.items()))).text


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanSettings:
    """With what a scanner runs. `cache` is a private directory for lists and canaries; None keeps nothing."""

    memo: DigestMemo = field(default_factory=DigestMemo)
    memory_bytes: int = 4 << 30
    scratch: Path | None = None
    cache: Path | None = None
    keep_raw: KeepRaw | None = None


def run_scanner(
    tool: PinnedTool,
    arguments: Sequence[str],
    *,
    directories: PrivateDirectories,
    environment: Mapping[str, str],
    settings: ScanSettings,
    deadline: Deadline,
) -> ChildResult:
    """Run a pinned scanner to its end with exit code 0.

    Raises:
        ScannerError: `SCAN_BINARY`, `SCAN_TIMEOUT`, or `SCAN_FAILED` with the last of what it said.
    """
    remaining = deadline.remaining()
    if remaining < _LEAST_SECONDS:
        raise _timeout(tool, remaining)
    limits = ChildLimits(wall_time=timedelta(seconds=remaining), memory_bytes=settings.memory_bytes)
    with open_binary(tool.path, tool.identity.digest, settings.memo) as program:
        result = run_child(
            program,
            [tool.identity.name, *arguments],
            directories=directories,
            limits=limits,
            environment=environment,
        )
    if result.stopped is Stopped.WALL_TIME:
        raise _timeout(tool, remaining)
    if result.stopped is not None or result.return_code != 0:
        ended = f"killed: too much {result.stopped.value}" if result.stopped else f"code {result.return_code}"
        raise failed(tool, "did not run to its end", f"{ended}: {last_words(result.stderr)}")
    return result


def _timeout(tool: PinnedTool, seconds: float) -> ScannerError:
    return ScannerError(
        f"{tool.identity.name} took longer than it may",
        code="SCAN_TIMEOUT",
        expected=f"an end within {seconds:.0f} s",
        next_step="Raise `--timeout`.",
    )


def failed(tool: PinnedTool, message: str, seen: str) -> ScannerError:
    """Make (not raise) the error about a run that does not count."""
    return ScannerError(
        f"{tool.identity.name} {message}",
        code="SCAN_FAILED",
        expected="exit code 0 and a whole report",
        seen=seen,
        next_step="Look at the scanner's message; run `gate doctor`.",
    )


def last_words(stderr: bytes) -> str:
    """Return the last line that says something, without escape sequences and cut: foreign text for a message.

    Warnings of both tools come after the cause, so a line that names an error or a fatal end is preferred.
    """
    text = _ESCAPES.sub("", stderr.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if re.search(r"FATAL|ERROR|error|panic", line)]
    return printable((telling or lines or ["it said nothing"])[-1], 300)


def read_report(tool: PinnedTool, path: Path, limit_bytes: int) -> bytes:
    """Return the bytes of a report file that the scanner wrote; raises `SCAN_FAILED` where there is none or too much."""
    try:
        # The scanner could have put a link or a pipe there.
        descriptor = open_regular(path, follow=False)
    except OSError as error:
        raise failed(tool, "wrote no report", error.strerror or "") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123  opened without following a link
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise failed(tool, "wrote too much", f"more than {limit_bytes} bytes")
    return content


def require_target(
    tool: PinnedTool, *, seen: Digest, expected: Digest, diff_ids: tuple[Digest, ...], expected_ids: tuple[Digest, ...]
) -> None:
    """Demand that a report is about this image (attack V04); raises `SCAN_TARGET_MISMATCH`."""
    if seen == expected and diff_ids == expected_ids:
        return
    difference = seen.text if seen != expected else f"{len(diff_ids)} other layers"
    raise ScannerError(
        f"{tool.identity.name} reports another image than it was given",
        code="SCAN_TARGET_MISMATCH",
        expected=expected.text if seen != expected else f"the {len(expected_ids)} layers of the image",
        seen=difference,
        next_step="Run again; if it stays, run `gate tools verify`.",
    )


def raw_report(name: str, media_type: str, content: bytes, settings: ScanSettings) -> RawReport:
    """Return the record of a raw report, and keep its bytes where the settings say so."""
    report = RawReport(name=name, media_type=media_type, digest=Digest.of(content), size=len(content))
    if settings.keep_raw is not None:
        settings.keep_raw(report, content)
    return report


def link_layout(target: ScanTarget, directories: PrivateDirectories) -> str:
    """Return the layout as a relative path for the working directory.

    Trivy cuts its argument at the first `@` or `:`, which the way to the user's cache may hold; a link's name does not.
    """
    (directories.root / "layout").symlink_to(target.layout.resolve(), target_is_directory=True)
    return "../layout"
