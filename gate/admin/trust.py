"""`gate trust`: which roots are here and how old they are; update them over TUF; take them from files.

A root is parsed before it is kept, and kept by digest. Nothing is ever asked of the services that a root speaks of (attack T04).

Specification: formats reference, section 9; docs/trust.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gate.codec.signing_config import CLIENT_TYPE, parse_signing_config
from gate.codec.strict_json import Fault, JsonValue, canonical_json, parse_object
from gate.codec.trusted_root import MAX_ROOT_BYTES, parse_trusted_root
from gate.disk.regular_file import open_regular
from gate.errors import EvidenceError, GateError, UsageError
from gate.model.digest import Digest
from gate.model.trust import TrustSource
from gate.model.unavailable import unavailable_from
from gate.registry.service import Service
from gate.trust.shipped import SIGNING_CONFIG, TRUSTED_ROOT, shipped
from gate.trust.store import TrustEntry, TrustStore

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from gate.clock import Deadline
    from gate.model.evidence import Unavailable
    from gate.model.trust import TrustedRoot
    from gate.registry.options import RegistryOptions

_FAULT: Final = Fault(UsageError, "ROOT_MALFORMED", "the trust configuration")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustStatus:
    """One name: what it points to, the parsed root, its age, when its TUF metadata ends; `problem` where it cannot be used."""

    name: str
    entry: TrustEntry | None = None
    root: TrustedRoot | None = None
    age: timedelta | None = None
    expires: datetime | None = None
    problem: Unavailable | None = None


def trust_status(store: TrustStore, now: datetime) -> tuple[TrustStatus, ...]:
    """Read and verify every root that is here, offline; one that cannot be used says why."""
    return tuple(_status(store, name, now) for name in store.names())


def _status(store: TrustStore, name: str, now: datetime) -> TrustStatus:
    try:
        entry = store.entry(name)
    except GateError as error:
        return TrustStatus(name=name, problem=unavailable_from(error))
    age = now - entry.taken if entry.taken is not None else None
    try:
        expires = _expiry(store, entry)
        files = store.load(name)
        root = parse_trusted_root(files.root)
    except GateError as error:
        return TrustStatus(name=name, entry=entry, age=age, problem=unavailable_from(error))
    return TrustStatus(name=name, entry=entry, root=root, age=age, expires=expires)


def _expiry(store: TrustStore, entry: TrustEntry) -> datetime | None:
    if entry.source is not TrustSource.TUF:
        return None
    from gate.trust.tuf_client import expiry_of  # noqa: PLC0415  what shows files alone needs no TUF

    return expiry_of(store.tuf_folder(entry.name))


def update_trust(
    store: TrustStore,
    name: str,
    *,
    url: str | None,
    anchor: bytes | None,
    registry: RegistryOptions,
    deadline: Deadline,
    now: datetime,
) -> TrustEntry:
    """Update a name over TUF, and point it to the root that the repository names now.

    `anchor` is root metadata that a person trusts; without one it is what was trusted before, or what `sigstore` ships for the
    repository. `url` None takes the repository of the last update, or for `public` the public one.

    Raises:
        UsageError: it is not said which repository, or what to trust first; the root cannot be read.
        EvidenceError: as `gate.trust.tuf_client.update_from`.
    """
    from gate.trust.tuf_client import update_from  # noqa: PLC0415

    chosen = url or _last_url(store, name)
    folder = store.tuf_folder(name)
    first = anchor or _known_anchor(store, name, chosen)
    store.prepare()

    def keep(found: Mapping[str, bytes]) -> None:
        if TRUSTED_ROOT not in found:
            raise EvidenceError(
                "the repository has no trusted root", code="ROOT_METADATA", expected=TRUSTED_ROOT, seen=chosen
            )
        parse_trusted_root(found[TRUSTED_ROOT])
        signing = found.get(SIGNING_CONFIG)
        if signing is not None:
            parse_signing_config(signing, now)
        store.put(name, found[TRUSTED_ROOT], signing, source=TrustSource.TUF, url=chosen, now=now)

    with Service(chosen, registry, deadline) as service:
        update_from(service, chosen, folder, first, (TRUSTED_ROOT, SIGNING_CONFIG), accept=keep)
    return store.entry(name)


def _last_url(store: TrustStore, name: str) -> str:
    try:
        entry = store.entry(name)
    except EvidenceError:
        entry = None
    if entry is None or not entry.url:
        raise UsageError("it is not said where the root is", expected="--tuf-url")
    return entry.url


def _known_anchor(store: TrustStore, name: str, url: str) -> bytes:
    """Return the metadata that is trusted first: never one that the repository serves itself."""
    from gate.trust.tuf_client import kept_anchor  # noqa: PLC0415

    try:
        before = store.entry(name)
        if before.source is TrustSource.TUF and before.url == url:
            return kept_anchor(store.tuf_folder(name))
    except (EvidenceError, OSError):
        pass
    embedded = shipped("root.json", url)
    if embedded is None:
        raise UsageError(
            "nothing says which root metadata of this repository to trust",
            expected="--root FILE with root metadata that you got by another way",
            seen=url,
        )
    return embedded


def import_trust(
    store: TrustStore, name: str, content: bytes, *, signing: bytes | None, digest: Digest | None, now: datetime
) -> TrustEntry:
    """Take a trusted root or a `ClientTrustConfig` from a file's bytes, and point the name to it.

    Raises:
        UsageError: `ROOT_MALFORMED`.
        EvidenceError: `ROOT_DIGEST`, the bytes are not the ones that `digest` names.
    """
    if digest is not None and Digest.of(content) != digest:
        raise EvidenceError(
            "the file is not the one that was meant",
            code="ROOT_DIGEST",
            expected=str(digest),
            seen=str(Digest.of(content)),
        )
    root, inner = _parts(content)
    parse_trusted_root(root)
    chosen = signing if signing is not None else inner
    if chosen is not None:
        parse_signing_config(chosen, now)
    return store.put(name, root, chosen, source=TrustSource.FILE, url="", now=now)


def _parts(content: bytes) -> tuple[bytes, bytes | None]:
    """Return root and signing configuration of a `ClientTrustConfig`; any other content is the root as it stands."""
    view = parse_object(content, _FAULT, limit_bytes=MAX_ROOT_BYTES)
    if view.optional_text("mediaType") != CLIENT_TYPE:
        return content, None
    root = canonical_json(_copied(view.object("trustedRoot").fields))
    signing = view.optional_object("signingConfig")
    return root, canonical_json(_copied(signing.fields)) if signing is not None else None


def _copied(fields: object) -> JsonValue:
    return {**fields} if isinstance(fields, dict) else None


def read_trust_file(path: Path) -> bytes:
    """Read a file that the user named, at most 1 MiB; raises UsageError `ROOT_MALFORMED`."""
    try:
        with open(open_regular(path), "rb") as file:  # noqa: PTH123
            content = file.read(MAX_ROOT_BYTES + 1)
    except OSError as error:
        raise UsageError(
            "the file cannot be read", code="ROOT_MALFORMED", expected=str(path), seen=error.strerror or ""
        ) from error
    if len(content) > MAX_ROOT_BYTES:
        raise UsageError("the file is too large", code="ROOT_MALFORMED", expected=f"at most {MAX_ROOT_BYTES} bytes")
    return content
