"""`gate doctor`: look at everything that a check needs, and say of each thing that it is well or what to do.

Nothing is changed but what a check itself would make (folders, the record's tables), and nothing is repaired. A thing that is
not needed for every image, as the Java database or a registry that was not named, is a remark and no failure.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.admin.databases import DatabaseStatus, database_status
from gate.admin.tools import list_tools
from gate.admin.trust import TrustStatus, trust_status
from gate.errors import GateError, StorageError
from gate.model.reasons import REASONS
from gate.model.reference import RegistryReference, parse_reference
from gate.pipeline.collect.context import image_store, tool_places
from gate.registry.client import RegistryClient
from gate.scanners.database_store import DatabaseKind
from gate.store.record import open_record
from gate.trust.store import TrustStore

if TYPE_CHECKING:
    from gate.clock import Deadline
    from gate.model.digest import Digest
    from gate.registry.options import RegistryOptions
    from gate.settings.locations import Places
    from gate.signers.signer import Signer

# The shipped baseline's own bound (DESIGN, section 6: `databaseMaxAge`); a policy may set another, so this only warns.
OLD_DATABASE: Final = timedelta(hours=48)
# A clock may differ from a builder's by this much before it is called wrong.
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
# An image of 1 GB with its unpacked layers and both scanners' work.
LITTLE_SPACE_BYTES: Final = 5 * 1024**3


class State(StrEnum):
    """How a thing is: `note` is worth knowing and hinders nothing, `wrong` hinders a check."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorResult:
    """One thing that was looked at: what was found, and what to do, which is empty where all is well."""

    subject: str
    state: State
    found: str
    next_step: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorContext:
    """What is looked at.

    `sign` opens the key that would sign, None where none was named; `reference` is an image in a registry (untrusted text).
    """

    places: Places
    registry: RegistryOptions
    deadline: Deadline
    now: datetime
    sign: Callable[[], Signer] | None = None
    reference: str | None = None


def run_checks(context: DoctorContext) -> tuple[DoctorResult, ...]:
    """Look at everything, in the order in which a check needs it; raises nothing that the gate raises on purpose."""
    databases = database_status(context.places.databases, context.now)
    return (
        *_tools(context),
        *map(diagnose_database, databases),
        diagnose_clock(context.now, databases),
        *map(diagnose_trust, trust_status(TrustStore(context.places.state / "trust"), context.now)),
        _tried("key", lambda: _key(context)),
        *_registry(context),
        _tried("cache", lambda: _cache(context.places)),
        _tried("record", lambda: _record(context.places)),
    )


def _tried(subject: str, look: Callable[[], DoctorResult]) -> DoctorResult:
    try:
        return look()
    except GateError as error:
        return _wrong(subject, error)


def _wrong(subject: str, error: GateError) -> DoctorResult:
    declared = REASONS.get(error.code)
    step = error.next_step or (declared.next_step if declared is not None else "")
    return DoctorResult(subject=subject, state=State.WRONG, found=str(error), next_step=step, code=error.code)


def _tools(context: DoctorContext) -> Iterator[DoctorResult]:
    try:
        found = [status for status in list_tools(tool_places(context.places)) if status.use == "scanner"]
    except GateError as error:
        yield _wrong("tools", error)
        return
    for status in found:
        if status.found is not None:
            text = f"{status.version} {status.found.identity.digest.short} {status.found.path} ({status.origin})"
            yield DoctorResult(subject=status.name, state=State.OK, found=text)
        else:
            step = f"Run `gate tools install {status.name}`."
            yield DoctorResult(
                subject=status.name, state=State.WRONG, found=status.problem, next_step=step, code="SCAN_BINARY"
            )


def diagnose_database(status: DatabaseStatus) -> DoctorResult:
    """Say how a database is; age is judged by the baseline's bound."""
    subject = f"{status.kind.value} database"
    if status.problem is not None:
        # Only images with Java archives need it.
        state = State.NOTE if status.kind is DatabaseKind.JAVA else State.WRONG
        step = status.problem.next_step or REASONS[status.problem.code].next_step
        return DoctorResult(
            subject=subject, state=state, found=status.problem.reason, next_step=step, code=status.problem.code
        )
    if status.identity is None or status.age is None:
        return DoctorResult(subject=subject, state=State.WRONG, found="cannot be read", code="DB_MALFORMED")
    hours = int(status.age.total_seconds() // 3600)
    text = f"{status.identity.digest.short}, {hours} hours old"
    if status.identity.demonstration:
        return DoctorResult(
            subject=subject, state=State.NOTE, found=f"{text}, DEMONSTRATION DATA", next_step="Run `gate db update`."
        )
    if status.age > OLD_DATABASE:
        step = "Run `gate db update`; policies refuse to rely on old databases."
        return DoctorResult(subject=subject, state=State.NOTE, found=text, next_step=step)
    return DoctorResult(subject=subject, state=State.OK, found=text)


def diagnose_clock(now: datetime, databases: tuple[DatabaseStatus, ...]) -> DoctorResult:
    """Compare the clock with what was made before now: it cannot be earlier than any of that."""
    moments = [status.identity.built_at for status in databases if status.identity is not None]
    text = now.isoformat(timespec="seconds")
    if moments and max(moments) > now + CLOCK_TOLERANCE:
        newest = max(moments).isoformat(timespec="seconds")
        return DoctorResult(
            subject="clock",
            state=State.WRONG,
            found=f"{text} is before a database was built ({newest})",
            next_step="Set the machine's clock.",
            code="POL_TIME",
        )
    return DoctorResult(subject="clock", state=State.OK, found=text)


def diagnose_trust(status: TrustStatus) -> DoctorResult:
    """Say whether a trusted root can be used now, offline, and since when it is here."""
    subject = f"trusted root {status.name}"
    if status.problem is not None or status.entry is None:
        code = status.problem.code if status.problem is not None else "ROOT_MISSING"
        return DoctorResult(
            subject=subject,
            state=State.WRONG,
            found=status.problem.reason if status.problem is not None else "is not there",
            next_step=REASONS[code].next_step,
            code=code,
        )
    age = f", {status.age.days} days old" if status.age is not None else ""
    end = f", until {status.expires:%Y-%m-%d}" if status.expires is not None else ""
    return DoctorResult(
        subject=subject, state=State.OK, found=f"{status.entry.root.short} {status.entry.source.value}{age}{end}"
    )


def _key(context: DoctorContext) -> DoctorResult:
    if context.sign is None:
        step = "Name one with `--key`; `gate keys generate` makes a pair."
        return DoctorResult(
            subject="key", state=State.NOTE, found="none was named: verdicts are not signed", next_step=step
        )
    key = context.sign().public_key
    return DoctorResult(subject="key", state=State.OK, found=f"{key.algorithm.value} {key.key_id}")


def _registry(context: DoctorContext) -> Iterator[DoctorResult]:
    if context.reference is None:
        step = "Name an image: `gate doctor registry.example/shop/web:tag`."
        yield DoctorResult(subject="registry", state=State.NOTE, found="none was named", next_step=step)
        return
    try:
        with RegistryClient(context.registry, context.deadline) as client:
            reference = _in_registry(context.reference)
            digest = reference.digest or client.resolve_tag(reference.repository, reference.tag or "latest")
            client.manifest(reference.repository, digest)
            yield DoctorResult(subject="registry", state=State.OK, found=f"{reference.repository} can be read")
            yield _referrers(client, reference, digest)
    except GateError as error:
        yield _wrong("registry", error)


def _in_registry(text: str) -> RegistryReference:
    reference = parse_reference(text)
    if not isinstance(reference, RegistryReference):
        raise StorageError(
            "no image in a registry", code="REG_NOT_FOUND", expected="registry/repository:tag", seen=text
        )
    return reference


def _referrers(client: RegistryClient, reference: RegistryReference, digest: Digest) -> DoctorResult:
    listing = client.referrer_listing(reference.repository, digest)
    if listing.api is None:
        text = "the registry has no referrers API; attestations are listed under a tag instead"
        return DoctorResult(subject="referrers", state=State.NOTE, found=text)
    return DoctorResult(subject="referrers", state=State.OK, found=f"the API answers; {len(listing.union)} attached")


def _cache(places: Places) -> DoctorResult:
    """Write and remove a file where blobs are kept, and look at the space that is left."""
    root = image_store(places).root
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root) as file:
            file.write(b"gate doctor")
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(root).free
    except OSError as error:
        raise StorageError(
            "the cache cannot be written", code="CACHE_UNAVAILABLE", expected=str(root), seen=error.strerror or ""
        ) from error
    text = f"{root}, {free // 1024**2} MiB free"
    if free < LITTLE_SPACE_BYTES:
        step = "Make room, run `gate cache prune`, or give `--cache-dir`."
        return DoctorResult(subject="cache", state=State.NOTE, found=text, next_step=step)
    return DoctorResult(subject="cache", state=State.OK, found=text)


def _record(places: Places) -> DoctorResult:
    """Open the record, which makes it where there is none, and count its rows."""
    with closing(open_record(places.record, places.evidence)) as record:
        rows = sum(1 for _ in record.rows())
    shown = places.record if "://" not in places.record else "database server"
    return DoctorResult(
        subject="record", state=State.OK, found=f"{shown}, {rows} rows, evidence in {Path(places.evidence)}"
    )
