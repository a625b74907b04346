"""Known exploited vulnerabilities (CISA KEV) and exploit probabilities (FIRST EPSS), from files that a policy names.

Refuses a catalogue that is cut off (its own count differs), ids that are no CVE, a score that is no probability, a CVE with
two scores, and a gzip file that is truncated or inflates beyond the limit. A CVE that is not in the EPSS file is unknown,
not zero. How old a file may be, and whether its date can be, is judged where the clock is.

Specification: CISA known_exploited_vulnerabilities_schema.json; FIRST EPSS CSV (comment line with `score_date`, then
`cve,epss,percentile`); checks reference, section 5.5.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.strict_json import parse_object
from gate.codec.times import parse_time

if TYPE_CHECKING:
    from datetime import datetime

    from gate.codec.strict_json import Fault

# The catalogue had 1.4 MB in 2025 and grows by some entries a week.
MAX_KEV_BYTES: Final = 32 * 1024 * 1024
# The daily file had 300,000 rows, 9 MB, in 2025 and grows by 15% a year.
MAX_EPSS_BYTES: Final = 128 * 1024 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)
_HEADER: Final = re.compile(r"#model_version:[\w.+-]{1,40},score_date:([0-9T:+Z-]{20,30})", re.ASCII)
_ROW: Final = re.compile(r"(CVE-[0-9]{4}-[0-9]{4,19}),([0-9.eE-]{1,24}),([0-9.eE-]{1,24})", re.ASCII)
_SHORT_ZONE: Final = re.compile(r"([+-][0-9]{2})([0-9]{2})$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class KevCatalogue:
    """The CVE ids that are known to be exploited, and when the catalogue was released."""

    released: datetime
    cves: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpssScores:
    """CVE id → probability of exploitation within 30 days (0 to 1), sorted by id, and the moment of the estimate."""

    date: datetime
    scores: tuple[tuple[str, float], ...]


def parse_kev(data: bytes, fault: Fault) -> KevCatalogue:
    """Parse CISA's JSON catalogue.

    Raises:
        GateError: of the class and code of `fault`.
    """
    view = parse_object(data, fault, limit_bytes=MAX_KEV_BYTES)
    entries = view.objects("vulnerabilities")
    if view.integer("count", minimum=1) != len(entries):
        expected = f"{view.integer('count')} entries, as it says itself"
        raise fault.refuse("is not whole", expected=expected, seen=f"{len(entries)} entries")
    cves = [entry.text("cveID") for entry in entries]
    wrong = next((cve for cve in cves if not _CVE.fullmatch(cve)), None)
    if wrong is not None:
        raise fault.refuse("has a malformed id", expected="CVE-YYYY-NNNN", seen=wrong)
    return KevCatalogue(released=parse_time(view.text("dateReleased"), fault, "dateReleased"), cves=frozenset(cves))


def parse_epss(data: bytes, fault: Fault, *, wanted: Container[str] | None = None) -> EpssScores:
    """Parse FIRST's CSV, plain or gzip; of 300,000 rows only those of `wanted` CVEs are kept, None: all.

    Raises:
        GateError: of the class and code of `fault`.
    """
    plain = _inflated(data, fault) if data.startswith(_GZIP_MAGIC) else data
    if len(plain) > MAX_EPSS_BYTES:
        raise fault.refuse("is too large", expected=f"at most {MAX_EPSS_BYTES} bytes", seen=f"{len(plain)} bytes")
    try:
        lines = plain.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise fault.refuse("is not ASCII", seen=f"a wrong byte at {error.start}") from error
    header = _HEADER.fullmatch(lines[0]) if lines else None
    if header is None or lines[1:2] != ["cve,epss,percentile"] or len(lines) < 3 or not plain.endswith(b"\n"):
        raise fault.refuse("is no EPSS file", expected="#model_version:...,score_date:... and cve,epss,percentile")
    date = parse_time(_SHORT_ZONE.sub(r"\1:\2", header[1]), fault, "score_date")
    return EpssScores(date=date, scores=_scores(lines[2:], fault, wanted))


def _scores(lines: Iterable[str], fault: Fault, wanted: Container[str] | None) -> tuple[tuple[str, float], ...]:
    scores: dict[str, float] = {}
    for line in lines:
        cve = line.partition(",")[0]
        if wanted is not None and cve not in wanted:
            continue
        row = _ROW.fullmatch(line)
        score = _probability(row[2]) if row else None
        if score is None or cve in scores:
            raise fault.refuse("has a wrong row", expected="each CVE once, with a probability 0 to 1", seen=line)
        scores[cve] = score
    return tuple(sorted(scores.items()))


def _probability(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def _inflated(data: bytes, fault: Fault) -> bytes:
    """Inflate every gzip member, within the limit; a truncated stream is an error, which zlib alone does not raise."""
    plain, rest = bytearray(), data
    while rest:
        member = zlib.decompressobj(wbits=31)
        try:
            plain += member.decompress(rest, MAX_EPSS_BYTES + 1 - len(plain))
        except zlib.error as error:
            raise fault.refuse("is not gzip", seen=str(error)) from error
        if len(plain) > MAX_EPSS_BYTES:
            raise fault.refuse("is too large", expected=f"at most {MAX_EPSS_BYTES} bytes when inflated")
        if not member.eof:
            raise fault.refuse("is cut off", expected="the end of the gzip stream")
        rest = member.unused_data
    return bytes(plain)
