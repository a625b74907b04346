"""The pinned programs: what the shipped lock demands, what the user's own lock adds, and where a pinned one is.

A program is started only when its digest is pinned (attack V14): in `tools.lock.yaml`, which ships with the gate, or in
the user's own lock, which `gate tools install` writes and which says how the program came to be. What a program prints
of itself identifies nothing. This module finds; `gate.admin.tools` fetches, builds and writes.
"""

from __future__ import annotations

import os
import platform
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.codec.yaml_document import SAFE_LOADER
from gate.disk.content import DigestMemo
from gate.disk.package_data import data_path
from gate.disk.regular_file import open_regular
from gate.errors import InternalError, ScannerError
from gate.model.digest import Digest
from gate.model.evidence import ToolIdentity
from gate.model.identity import Identity, Matcher

LOCK_NAME: Final = "tools.lock.yaml"
LOCK_SCHEMA: Final = 1
USER_LOCK_VERSION: Final = 1
_MAX_USER_LOCK_BYTES: Final = 1 << 20
_FAULT: Final = Fault(ScannerError, "SCAN_BINARY", "the user's lock of tools")
_ARCHITECTURES: Final[Mapping[str, str]] = MappingProxyType({"x86_64": "amd64", "aarch64": "arm64"})


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecipe:
    """How a program is built: `go build ARGUMENTS PACKAGE` in `module_dir`, whose go.mod and go.sum pin all modules."""

    module_dir: Path
    package: str
    arguments: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseArchive:
    """An official release: `form` is `tar.gz` with `member` in it, or `binary`; without a digest its signer must vouch."""

    url: str
    form: str
    member: str
    digest: Digest | None


class SignatureForm(StrEnum):
    """What lies beside a signed checksum file: a Sigstore bundle, or certificate and signature in files of their own."""

    BUNDLE = "bundle"
    DETACHED = "detached"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSigner:
    """How a publisher signs its releases: the name of the checksum file that lies beside them, and who must have signed it.

    `log` is where the entry of a detached signature is asked for, which has no other proof of its time.
    """

    checksums: str
    form: SignatureForm
    identity: Identity
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPin:
    """What the shipped lock says of one program, for every platform (`os/arch` in Go's names).

    `signer` is None where releases are taken by a recorded digest alone.
    """

    name: str
    version: str
    use: str
    recipe: BuildRecipe
    archives: Mapping[str, ReleaseArchive]
    binaries: Mapping[str, frozenset[Digest]]
    signer: ReleaseSigner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPin:
    """One line of the user's own lock: a program that was installed here, and how it came to be."""

    name: str
    version: str
    platform: str
    digest: Digest
    origin: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPlaces:
    """Where programs are looked for, in order: `tools_dir`, then the directories of `search_path`.

    `lock` is read in place of the lock that ships with the gate; only tests name one.
    """

    tools_dir: Path
    user_lock: Path
    search_path: tuple[Path, ...] = ()
    lock: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedTool:
    """A program that may be started: where it is, and the digest that it must still have when it is."""

    path: Path
    identity: ToolIdentity


def this_platform() -> str:
    """Return this machine as `os/arch` in Go's names."""
    machine = platform.machine()
    return f"{'darwin' if sys.platform == 'darwin' else 'linux'}/{_ARCHITECTURES.get(machine, machine)}"


def read_tool_lock(lock: Path | None = None) -> Mapping[str, ToolPin]:
    """Return name -> pin of the lock that ships with the gate (trusted); raises InternalError where it is not whole."""
    path = lock or data_path(LOCK_NAME)
    document = SAFE_LOADER(path.read_text(encoding="utf-8")).get_single_data()
    try:
        if document["schema"] != LOCK_SCHEMA:
            raise InternalError(f"{LOCK_NAME} has another schema", expected=str(LOCK_SCHEMA))
        return MappingProxyType(
            {name: _pin(name, entry, document["go"], path.parent) for name, entry in document["programs"].items()}
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InternalError(f"{LOCK_NAME} is not whole", seen=repr(error)) from error


def _pin(name: str, entry: Mapping[str, Any], common: Mapping[str, Any], root: Path) -> ToolPin:
    build = entry["build"]
    return ToolPin(
        name=name,
        version=entry["version"],
        use=entry["use"],
        recipe=BuildRecipe(
            module_dir=root / build["module_dir"],
            package=build["package"],
            arguments=(*common["flags"], "-ldflags", build["ldflags"]),
            environment=tuple(sorted({**common["environment"], **build["environment"]}.items())),
        ),
        archives=MappingProxyType({machine: _archive(found) for machine, found in entry["archives"].items()}),
        binaries=MappingProxyType(
            {machine: frozenset(map(Digest.from_hex, _listed(found))) for machine, found in entry["binaries"].items()}
        ),
        signer=_signer(entry["signed"]) if "signed" in entry else None,
    )


def _signer(entry: Mapping[str, Any]) -> ReleaseSigner:
    """Read who signs; exactly one of `subject` and `subjectRegExp` is there (the whole text is matched)."""
    pattern = entry.get("subjectRegExp")
    subject = Matcher(text=entry["subject"]) if pattern is None else Matcher(text=pattern, is_pattern=True)
    return ReleaseSigner(
        checksums=entry["checksums"],
        form=SignatureForm(entry["form"]),
        identity=Identity(subject=subject, issuer=Matcher(text=entry["issuer"])),
        log=entry.get("log", ""),
    )


def _archive(entry: Mapping[str, Any]) -> ReleaseArchive:
    digits = entry["sha256"]
    return ReleaseArchive(
        url=entry["url"],
        form=entry["form"],
        member=entry["member"],
        digest=Digest.from_hex(digits) if digits else None,
    )


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def read_user_lock(path: Path) -> tuple[UserPin, ...]:
    """Return the user's own pins; none where there is no such file.

    Raises:
        ScannerError: `SCAN_BINARY`, it is malformed, somebody else's, or writable by others.
    """
    try:
        with path.open("rb") as file:
            seen = os.fstat(file.fileno())
            content = file.read(_MAX_USER_LOCK_BYTES + 1)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise _FAULT.refuse("cannot be read", seen=error.strerror or "") from error
    if seen.st_uid not in {os.geteuid(), 0} or stat.S_IMODE(seen.st_mode) & 0o022:
        raise _FAULT.refuse("can be changed by others", expected="owned by you, not writable by group and others")
    view = parse_object(content, _FAULT, limit_bytes=_MAX_USER_LOCK_BYTES)
    if view.integer("version") != USER_LOCK_VERSION:
        raise view.refuse("version", "has another form", expected=str(USER_LOCK_VERSION))
    return tuple(_user_pin(entry) for entry in view.objects("tools"))


def _user_pin(entry: ObjectView) -> UserPin:
    return UserPin(
        name=entry.text("name"),
        version=entry.text("version"),
        platform=entry.text("platform"),
        digest=entry.digest("digest"),
        origin=entry.text("origin"),
        detail=entry.optional_text("detail"),
    )


def accepted_digests(pin: ToolPin, user_pins: tuple[UserPin, ...], machine: str) -> frozenset[Digest]:
    """Return the digests that a program may have: shipped ones, and the user's for the very same version and platform."""
    own = {
        found.digest
        for found in user_pins
        if (found.name, found.version, found.platform) == (pin.name, pin.version, machine)
    }
    return pin.binaries.get(machine, frozenset()) | own


def locate_tool(name: str, places: ToolPlaces, memo: DigestMemo) -> PinnedTool:
    """Return the first program of this name whose digest is pinned.

    Raises:
        ScannerError: `SCAN_BINARY`, there is none; the message names the digests that were seen.
    """
    pin = read_tool_lock(places.lock)[name]
    accepted = accepted_digests(pin, read_user_lock(places.user_lock), this_platform())
    seen = []
    for directory in (places.tools_dir, *places.search_path):
        path = directory / name
        digest = _digest_of(path, memo)
        if digest in accepted:
            return PinnedTool(path=path, identity=ToolIdentity(name=name, version=pin.version, digest=digest))
        if digest is not None:
            seen.append(f"{path} {digest.short}")
    raise ScannerError(
        f"there is no {name} {pin.version} whose digest is pinned",
        code="SCAN_BINARY",
        expected=", ".join(sorted(digest.short for digest in accepted)) or "a pin, and there is none yet",
        seen=", ".join(seen) or f"no {name} in {places.tools_dir} nor on PATH",
        next_step=f"Run `gate tools install {name}`.",
    )


def _digest_of(path: Path, memo: DigestMemo) -> Digest | None:
    """Return the digest of a regular file, or None where there is none that can be read."""
    try:
        descriptor = open_regular(path)
    except OSError:
        return None
    try:
        return memo.digest_of(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
