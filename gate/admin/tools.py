"""Install, list and verify the pinned programs: the logic of `gate tools`.

Ways in this order: one that is here already and pinned; a release archive by its recorded digest, or where none is recorded by
the checksum file that its publisher signed; a build from the pinned Go modules that ship with the gate. No digest is taken on
first use without one of these. What was built or unpacked is pinned in the user's own lock, which says how it came to be.
A release that nobody can fetch is built where there is Go; one that is fetched and wrong is refused, and nothing else tried.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gate.admin.downloads import DownloadOptions, download
from gate.admin.signed_release import Publisher
from gate.clock import Deadline
from gate.codec.strict_json import printable
from gate.disk.content import DigestMemo, disk_errors, hash_descriptor, write_atomically
from gate.errors import EvidenceError, GateError, ScannerError, UsageError
from gate.model.digest import Digest
from gate.model.evidence import ToolIdentity
from gate.scanners.tool_pins import (
    USER_LOCK_VERSION,
    PinnedTool,
    ReleaseArchive,
    ToolPin,
    ToolPlaces,
    UserPin,
    accepted_digests,
    locate_tool,
    read_tool_lock,
    read_user_lock,
    this_platform,
)
from gate.trust.shipped import TRUSTED_ROOT, shipped

# What of the caller's environment `go build` needs: where its caches, modules and the network are.
_GO_VARIABLES: Final = frozenset(
    {
        "PATH", "HOME", "TMPDIR", "GOPATH", "GOCACHE", "GOMODCACHE", "GOPROXY", "GONOPROXY", "GOPRIVATE", "GOSUMDB",
        "GONOSUMDB", "GOTOOLCHAIN", "GOROOT", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
    }
)  # fmt: skip
_MAX_ARCHIVE_BYTES: Final = 1 << 30
_MAX_BINARY_BYTES: Final = 1 << 30


def _shipped_root() -> bytes:
    found = shipped(TRUSTED_ROOT)
    if found is None:
        raise EvidenceError("the sigstore package carries no trusted root", code="ROOT_MISSING")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallOptions:
    """How programs may be installed.

    `mirror` is a base URL under which a release's file name is looked for. `environment` is the caller's, of which a
    build gets only what Go needs. `say` tells a waiting person what is done. `trusted_root` gives the `trusted_root.json` under
    which publishers' signatures are verified: the user's public one.
    """

    download: DownloadOptions = field(
        default_factory=lambda: DownloadOptions(error=ScannerError, code="TOOL_SOURCE", limit_bytes=_MAX_ARCHIVE_BYTES)
    )
    mirror: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    say: Callable[[str], None] = lambda _text: None
    trusted_root: Callable[[], bytes] = _shipped_root


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStatus:
    """One line of `gate tools list`: `found` is the pinned program that would be started, None with the reason why not.

    `origin` says how the found one came to be; `ways` are those in which it could be installed on this machine.
    """

    name: str
    version: str
    use: str
    pinned: tuple[Digest, ...]
    found: PinnedTool | None
    problem: str
    origin: str
    ways: tuple[str, ...]


def list_tools(places: ToolPlaces, memo: DigestMemo | None = None) -> tuple[ToolStatus, ...]:
    """Return the state of every program of the lock, in its order; raises `SCAN_BINARY` for a damaged user's lock."""
    own, machine = read_user_lock(places.user_lock), this_platform()
    return tuple(
        _status(pin, own, machine, places, memo or DigestMemo()) for pin in read_tool_lock(places.lock).values()
    )


def _status(pin: ToolPin, own: tuple[UserPin, ...], machine: str, places: ToolPlaces, memo: DigestMemo) -> ToolStatus:
    found, problem = None, ""
    try:
        found = locate_tool(pin.name, places, memo)
    except GateError as error:
        problem = str(error)
    origins = {entry.digest: f"{entry.origin}: {entry.detail}" for entry in own if entry.name == pin.name}
    release = pin.archives.get(machine)
    ways = []
    if release is not None and (release.digest is not None or pin.signer is not None):
        ways = ["archive" if release.digest is not None else "signed release"]
    return ToolStatus(
        name=pin.name,
        version=pin.version,
        use=pin.use,
        pinned=tuple(sorted(accepted_digests(pin, own, machine))),
        found=found,
        problem=problem,
        origin=origins.get(found.identity.digest, "shipped lock") if found else "",
        ways=(*ways, "build"),
    )


def verify_tools(names: tuple[str, ...], places: ToolPlaces) -> tuple[PinnedTool, ...]:
    """Hash the named programs (none: those that scan) anew, without the memo, and give them.

    Raises:
        ScannerError: `SCAN_BINARY`, the first that is not there or not pinned.
        UsageError: a name that is not in the lock.
    """
    lock = read_tool_lock(places.lock)
    chosen = names or tuple(name for name, pin in lock.items() if pin.use == "scanner")
    return tuple(locate_tool(_known(name, lock).name, places, DigestMemo()) for name in chosen)


def _known(name: str, lock: Mapping[str, ToolPin]) -> ToolPin:
    if name not in lock:
        raise UsageError("no such tool", expected=", ".join(lock), seen=printable(name))
    return lock[name]


def install_tool(name: str, places: ToolPlaces, options: InstallOptions, deadline: Deadline) -> PinnedTool:
    """Make sure that the pinned program is here, and give it.

    Raises:
        ScannerError: `TOOL_SOURCE`, no way leads to it; `SCAN_BINARY`, the user's lock is damaged; `TOOL_SIGNATURE`,
            `TOOL_PUBLISHER`, `TOOL_CHECKSUM`, the release is not what its publisher signed.
        StorageError: `CACHE_UNAVAILABLE`, the disk.
        UsageError: a name that is not in the lock.
    """
    pin = _known(name, read_tool_lock(places.lock))
    try:
        found = locate_tool(name, places, DigestMemo())
    except ScannerError:
        read_user_lock(places.user_lock)  # a damaged lock must be looked at, not written over
    else:
        options.say(f"{name} {pin.version}: pinned and here, {found.path}")
        return found
    with disk_errors(f"installing {name}"):
        return _installed(pin, places, options, deadline)


def _installed(pin: ToolPin, places: ToolPlaces, options: InstallOptions, deadline: Deadline) -> PinnedTool:
    release = pin.archives.get(this_platform())
    places.tools_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=places.tools_dir, prefix=".install-") as folder:
        scratch = Path(folder)
        if release is not None and release.digest is not None:
            program, detail, origin = *_unpacked(pin, release, scratch, options, deadline), "archive"
        else:
            program, detail, origin = _without_digest(pin, release, scratch, options, deadline)
        return _place(pin, program, places, origin=origin, detail=detail)


def _without_digest(
    pin: ToolPin, release: ReleaseArchive | None, scratch: Path, options: InstallOptions, deadline: Deadline
) -> tuple[Path, str, str]:
    """Return program, detail and origin: the signed release where it can be had, else a build."""
    if release is not None and pin.signer is not None:
        try:
            return *_unpacked(pin, release, scratch, options, deadline), "signed release"
        except ScannerError as error:
            if error.code != "TOOL_SOURCE" or _go(options) is None:
                raise
            options.say(f"{pin.name} {pin.version}: the release cannot be had ({error.seen})")
    return *_built(pin, scratch, options, deadline), "built"


def _unpacked(
    pin: ToolPin, release: ReleaseArchive, scratch: Path, options: InstallOptions, deadline: Deadline
) -> tuple[Path, str]:
    base, _, name = release.url.rpartition("/")
    base = options.mirror.rstrip("/") or base
    options.say(f"{pin.name} {pin.version}: fetching the release")
    archive = scratch / "archive"
    digest = download(f"{base}/{name}", archive, options.download, deadline)
    by = ""
    if release.digest is None and pin.signer is not None:
        publisher = Publisher(pin, pin.signer, base, scratch, options.download, options.trusted_root, deadline)
        publisher.require_signed(release, digest)
        by = f" signed by {pin.signer.identity}"
    elif digest != release.digest:
        raise ScannerError(
            f"the release of {pin.name} {pin.version} is not the pinned one",
            code="TOOL_SOURCE",
            expected=str(release.digest),
            seen=digest.text,
            next_step="Name another mirror with `--mirror`; do not use this file.",
        )
    program = scratch / "program"
    if release.form == "binary":
        archive.rename(program)
    else:
        _extract(archive, release.member, program)
    return program, f"{release.url} {digest}{by}"


def _extract(archive: Path, member: str, program: Path) -> None:
    """Copy one member out: its name in the archive is compared and never used as a path."""
    try:
        with tarfile.open(archive, "r:gz") as opened:
            entry = opened.getmember(member)
            content = opened.extractfile(entry)
            if content is None or not entry.isreg() or entry.size > _MAX_BINARY_BYTES:
                raise ScannerError("the release holds no such program", code="TOOL_SOURCE", expected=member)
            with content, program.open("xb") as target:
                shutil.copyfileobj(content, target, 1 << 20)
    except (KeyError, tarfile.TarError, OSError, EOFError) as error:
        raise ScannerError(
            "the release cannot be unpacked", code="TOOL_SOURCE", expected=member, seen=type(error).__name__
        ) from error


def _go(options: InstallOptions) -> str | None:
    return shutil.which("go", path=options.environment.get("PATH", ""))


def _built(pin: ToolPin, scratch: Path, options: InstallOptions, deadline: Deadline) -> tuple[Path, str]:
    go = _go(options)
    if go is None:
        raise ScannerError(
            f"{pin.name} {pin.version} can only be built here, and Go is not on PATH",
            code="TOOL_SOURCE",
            expected="Go 1.26 or later",
            next_step="Install Go (https://go.dev/dl), or put the pinned binary into --tools-dir.",
        )
    options.say(f"{pin.name} {pin.version}: building from pinned modules (takes minutes)")
    program = scratch / pin.name
    environment = {name: value for name, value in options.environment.items() if name in _GO_VARIABLES}
    _go_build(go, pin, program, environment | dict(pin.recipe.environment), deadline)
    sums = Digest.of((pin.recipe.module_dir / "go.sum").read_bytes())
    return program, f"{pin.recipe.package} go.sum {sums}"


def _go_build(go: str, pin: ToolPin, program: Path, environment: dict[str, str], deadline: Deadline) -> None:
    command = [go, "build", *pin.recipe.arguments, "-o", str(program), pin.recipe.package]
    try:
        run = subprocess.run(  # noqa: S603  the compiler, with arguments of the shipped lock
            command,
            cwd=pin.recipe.module_dir,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=deadline.remaining(),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ScannerError(f"{pin.name} cannot be built", code="TOOL_SOURCE", seen=type(error).__name__) from error
    if run.returncode != 0:
        last = run.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["it said nothing"]
        raise ScannerError(
            f"{pin.name} cannot be built",
            code="TOOL_SOURCE",
            expected="go build to end with 0",
            seen=printable(last[0], 300),
            next_step="Look at Go's message; set GOPROXY where modules come from a mirror.",
        )


def _place(pin: ToolPin, program: Path, places: ToolPlaces, *, origin: str, detail: str) -> PinnedTool:
    """Put the program in place whole, then pin it: between the two it is there and not started."""
    descriptor = os.open(program, os.O_RDONLY)
    try:
        digest = hash_descriptor(descriptor)
    finally:
        os.close(descriptor)
    program.chmod(0o555)
    path = places.tools_dir / pin.name
    program.replace(path)
    pinned = UserPin(
        name=pin.name, version=pin.version, platform=this_platform(), digest=digest, origin=origin, detail=detail
    )
    _remember(pinned, places.user_lock)
    return PinnedTool(path=path, identity=ToolIdentity(name=pin.name, version=pin.version, digest=digest))


def _remember(pinned: UserPin, path: Path) -> None:
    kept = [
        entry
        for entry in read_user_lock(path)
        if (entry.name, entry.version, entry.platform) != (pinned.name, pinned.version, pinned.platform)
    ]
    tools = [
        {
            "name": entry.name,
            "version": entry.version,
            "platform": entry.platform,
            "digest": entry.digest.text,
            "origin": entry.origin,
            "detail": entry.detail,
        }
        for entry in (*kept, pinned)
    ]
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_atomically(path, json.dumps({"version": USER_LOCK_VERSION, "tools": tools}, indent=1).encode() + b"\n")
