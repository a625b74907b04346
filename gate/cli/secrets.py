"""`gate secrets`: only the search for plaintext secrets, for a commit hook or a look into a refusal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.cli.commands import Group
from gate.cli.common import Common, common_options, fingerprint_key_option, registry_options
from gate.cli.environment import registry_options as registry_settings
from gate.cli.types import PLACE
from gate.model.policy import SecretsFailOn
from gate.pipeline.secrets_scan import ScannedPart, scan_secrets
from gate.report.content import Listing

if TYPE_CHECKING:
    from datetime import timedelta

    from gate.model.finding import SecretFinding
    from gate.report.content import Cell

_COLUMNS: Final = (
    "state", "rule", "severity", "confidence", "grade", "origin", "package",
    "place", "location", "paths", "chain", "line", "offset", "key", "layer", "hidden",
    "fingerprint", "image", "reason",
)  # fmt: skip
_DETAIL: Final = frozenset({"paths"})
_REFUSED: Final = 1
_NOT_JUDGED: Final = 3


@click.group(cls=Group)
def secrets() -> None:
    """Search for plaintext secrets, without a policy."""


@secrets.command()
@click.argument("subject", metavar="PATH|REF")
@click.option(
    "--rules",
    multiple=True,
    type=PLACE,
    envvar="GATE_RULES",
    help="A file of own rules, beside the shipped ones (docs/secret-rules.md).",
)
@fingerprint_key_option
@registry_options
@common_options
def scan(
    common: Common,
    *,
    subject: str,
    rules: tuple[Path, ...],
    fingerprint_key: Path | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Search a folder, a file or an image.

    PATH is a folder, or a file of any kind: archives are opened. REF is an image by digest, as for `gate check`; each of its
    layers is searched, hidden files too. No part of a secret is printed. Ends with 1 where one is found that a check refuses
    by default (likely in the author's own files, certain in what a package shipped), and with 3 where none is but something
    could not be opened.
    """
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    limit: dict[str, timedelta] = {} if common.timeout is None else {"timeout": common.timeout}
    places = replace(common.places(), fingerprint_key=fingerprint_key)
    parts = scan_secrets(subject, places=places, registry=registry, rules=rules, **limit)
    rows = [row for part in parts for row in _rows(part)]
    found = [finding for part in parts for finding in part.evidence.findings]
    refuses = any(map(SecretsFailOn().refuses, found))
    code = _REFUSED if refuses else _NOT_JUDGED if any(part.evidence.unopened for part in parts) else 0
    known = sum(part.evidence.known for part in parts)
    keys = dict.fromkeys(part.evidence.key_id for part in parts)
    notes = (_read_so_far(parts), *(f"fingerprints are of the key {key}" for key in keys if found), *_left_out(known))
    common.finish(
        Listing(
            kind="secrets",
            columns=_COLUMNS,
            rows=tuple(rows),
            state="state",
            notes=notes,
            exit_code=code,
            detail=_DETAIL,
        )
    )


def _read_so_far(parts: tuple[ScannedPart, ...]) -> str:
    files, size_bytes = (sum(part.files for part in parts), sum(part.size_bytes for part in parts))
    return f"{files} {'file' if files == 1 else 'files'} of {size_bytes:,} bytes searched"


def _left_out(known: int) -> tuple[str, ...]:
    return (f"{known} public values of tests and documentation were left out",) if known else ()


def _rows(part: ScannedPart) -> list[tuple[Cell, ...]]:
    image = str(part.image) if part.image is not None else None
    cells = [_found_cells(finding, image) for finding in part.evidence.findings]
    cells += [
        {"state": "unopened", "location": place, "image": image, "reason": reason}
        for place, reason in part.evidence.unopened
    ]
    return [tuple(row.get(column) for column in _COLUMNS) for row in cells]


def _found_cells(finding: SecretFinding, image: str | None) -> dict[str, Cell]:
    return {
        "state": "found",
        "rule": finding.rule,
        "severity": finding.severity.value,
        "confidence": finding.confidence.value if finding.confidence is not None else None,
        "grade": finding.grade.value,
        "origin": finding.origin.value,
        "package": finding.package or None,
        "place": finding.place.value,
        "location": finding.location,
        # All names of the file, of which people see the first one alone.
        "paths": finding.names,
        "chain": " > ".join(finding.chain) or None,
        "line": finding.line,
        # People find a line; where there is none, the offset has to do.
        "offset": finding.offset if finding.line is None else None,
        "key": finding.key_path or None,
        "layer": str(finding.layer) if finding.layer is not None else None,
        "hidden": finding.hidden,
        "fingerprint": finding.fingerprint,
        "image": image,
        "reason": finding.title,
    }
