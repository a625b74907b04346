"""`gate trust`: the Sigstore trust roots."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from gate.admin.trust import TrustStatus, import_trust, read_trust_file, trust_status, update_trust
from gate.admin.trust_parts import TrustParts, root_of_parts
from gate.cli.commands import Group
from gate.cli.common import Common, ca_file_option, common_options, with_options
from gate.cli.environment import registry_options
from gate.cli.types import DIGEST, LOG_KEY, MOMENT, PLACE
from gate.disk.output import write_output
from gate.errors import UsageError
from gate.model.trust import PUBLIC
from gate.model.validity import Validity
from gate.report.content import Cell, Listing
from gate.report.lines import duration
from gate.trust.store import TrustStore

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.trust.store import TrustEntry

_TIME: Final = timedelta(minutes=2)
_NOT_JUDGED: Final = 3
_COLUMNS: Final = (
    "name", "state", "source", "age", "expires", "logs", "authorities", "timestamps", "signing", "root", "problem",
)  # fmt: skip
parts_options = with_options(
    click.option(
        "--certificate-chain",
        "chains",
        multiple=True,
        type=PLACE,
        envvar="GATE_CERTIFICATE_CHAIN",
        help="PEM chain of an authority that certifies signers, its root last (repeatable).",
    ),
    click.option(
        "--ct-key",
        "ct_keys",
        multiple=True,
        type=PLACE,
        envvar="GATE_CT_KEY",
        help="PEM key of a certificate transparency log (repeatable).",
    ),
    click.option(
        "--log-key",
        "log_keys",
        multiple=True,
        type=LOG_KEY,
        envvar="GATE_LOG_KEY",
        help="URL of a transparency log and its PEM key (repeatable).",
    ),
    click.option(
        "--timestamp-chain",
        "timestamp_chains",
        multiple=True,
        type=PLACE,
        envvar="GATE_TIMESTAMP_CHAIN",
        help="PEM chain of a timestamp authority, its own certificate first (repeatable).",
    ),
    click.option(
        "--valid-from", type=MOMENT, envvar="GATE_VALID_FROM", help="From when on the parts count; needed with them."
    ),
    click.option("--valid-until", type=MOMENT, envvar="GATE_VALID_UNTIL", help="Until when the parts count."),
)


@click.group(cls=Group)
def trust() -> None:
    """Show, update and import the roots that keyless signatures are checked with."""


@trust.command()
@click.argument("name", required=False)
@click.option(
    "--save",
    type=PLACE,
    envvar="GATE_SAVE",
    help="Write the root of NAME to a file, for a policy's `trustedRoot` or for `cosign --trusted-root`.",
)
@common_options
def show(common: Common, name: str | None, save: Path | None) -> None:
    """Show the trusted roots that are here, their age and when they end, offline.

    A root that came by TUF is verified anew from the cache. Ends with 3 where one cannot be used.
    """
    if save is not None:
        if name is None:
            raise UsageError("--save is for one root", expected="NAME", seen="no name")
        write_output(save, _store(common).load(name).root)
    found = [item for item in trust_status(_store(common), common.now) if name in {None, item.name}]
    if not found and name is not None:
        _store(common).entry(name)
    code = _NOT_JUDGED if any(item.problem is not None for item in found) else 0
    rows = tuple(map(_row, found))
    common.finish(Listing(kind="trustedRoots", columns=_COLUMNS, rows=rows, state="state", exit_code=code))


@trust.command()
@click.argument("name", default=PUBLIC)
@click.option(
    "--tuf-url",
    envvar="GATE_TUF_URL",
    help="The TUF repository; without it that of the last update, for public that of Sigstore.",
)
@click.option(
    "--root",
    type=PLACE,
    envvar="GATE_ROOT",
    help="Root metadata (root.json) of the repository, which you got by another way; needed once for a private one.",
)
@ca_file_option
@common_options
def update(common: Common, *, name: str, tuf_url: str | None, root: Path | None, ca_file: Path | None) -> None:
    """Fetch the newest trusted root over TUF, and use it under NAME (public) from now on.

    \b
    gate trust update
    gate trust update company --tuf-url https://tuf.company.example --root root.json
    """  # noqa: D301  click reads \b
    common.say(f"updating the trusted root {name}")
    update_trust(
        _store(common),
        name,
        url=tuf_url,
        anchor=read_trust_file(root) if root is not None else None,
        registry=registry_options(authfile=None, plain_http=False, ca_file=ca_file, offline=common.offline),
        deadline=common.deadline(_TIME),
        now=common.now,
    )
    common.finish(_listing(common, name))


@trust.command(name="import")
@click.argument("name")
@click.argument("source", metavar="[FILE]", required=False, type=PLACE)
@click.option("--digest", type=DIGEST, envvar="GATE_TRUST_DIGEST", help="The digest that the file must have.")
@click.option(
    "--signing-config",
    type=PLACE,
    envvar="GATE_SIGNING_CONFIG",
    help="Where keyless signatures of this instance are made (signing_config.json).",
)
@parts_options
@common_options
def import_(
    common: Common,
    *,
    name: str,
    source: Path | None,
    digest: Digest | None,
    signing_config: Path | None,
    chains: tuple[Path, ...],
    ct_keys: tuple[Path, ...],
    log_keys: tuple[tuple[str, Path], ...],
    timestamp_chains: tuple[Path, ...],
    valid_from: datetime | None,
    valid_until: datetime | None,
) -> None:
    """Take a trusted root from a file, or from PEM parts, and use it under NAME.

    FILE is a trusted_root.json or a ClientTrustConfig, which brings its signing configuration along.

    \b
    gate trust import company trusted_root.json
    gate trust import company --certificate-chain ca.pem --ct-key ct.pem --valid-from 2026-01-01T00:00:00Z
    """  # noqa: D301  click reads \b
    parts = (*chains, *ct_keys, *log_keys, *timestamp_chains)
    if (source is None) == (not parts):
        raise UsageError("not one trusted root", expected="a file, or PEM parts", seen="both" if parts else "neither")
    if source is not None:
        content = read_trust_file(source)
    else:
        content = root_of_parts(
            TrustParts(
                validity=_validity(valid_from, valid_until),
                authorities=tuple(map(read_trust_file, chains)),
                certificate_logs=tuple(map(read_trust_file, ct_keys)),
                logs={url: read_trust_file(path) for url, path in log_keys},
                timestamp_authorities=tuple(map(read_trust_file, timestamp_chains)),
            )
        )
    signing = read_trust_file(signing_config) if signing_config is not None else None
    import_trust(_store(common), name, content, signing=signing, digest=digest, now=common.now)
    common.finish(_listing(common, name))


def _validity(start: datetime | None, end: datetime | None) -> Validity:
    if start is None:
        raise UsageError("it is not said from when on the parts count", expected="--valid-from")
    return Validity(start=start, end=end)


def _store(common: Common) -> TrustStore:
    return TrustStore(common.places().state / "trust")


def _listing(common: Common, name: str) -> Listing:
    rows = tuple(_row(item) for item in trust_status(_store(common), common.now) if item.name == name)
    return Listing(kind="trustedRoots", columns=_COLUMNS, rows=rows, state="state")


def _row(item: TrustStatus) -> tuple[Cell, ...]:
    state = "ok" if item.problem is None else item.problem.code
    problem = item.problem.reason if item.problem is not None else ""
    root, entry = item.root, item.entry
    counts = (
        (len(root.logs), len(root.certificate_authorities), len(root.timestamp_authorities))
        if root is not None
        else (None, None, None)
    )
    age = duration(item.age) if item.age is not None else None
    return item.name, state, *_origin(entry, age, item.expires), *counts, *_digests(entry), problem


def _origin(entry: TrustEntry | None, age: str | None, expires: datetime | None) -> tuple[Cell, ...]:
    return (entry.source.value if entry is not None else None), age, expires


def _digests(entry: TrustEntry | None) -> tuple[Cell, ...]:
    return (None, None) if entry is None else (entry.signing is not None, str(entry.root))
