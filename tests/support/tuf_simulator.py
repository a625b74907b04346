"""A TUF repository in memory, whose every role a test changes and publishes on its own; it notes what a client asks for.

Where `TufRepository` publishes honest states over HTTP, this one can serve any combination: roles of other versions, keys and
thresholds, hashes that are wrong, delegations. `Client` updates from it with the gate's own client and says which versions it
keeps. Signatures are by Ed25519 keys that are made for the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import unquote

from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # its packages export by import alone
from tuf.api.metadata import (  # type: ignore[attr-defined]  # re-exported without saying so
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

from gate.errors import GateError
from gate.registry.service import Service
from gate.trust.tuf_client import update_from

FUTURE: Final = datetime(2099, 1, 1, tzinfo=UTC)
TOP: Final = ("root", "timestamp", "snapshot", "targets")


class Simulator:
    """The repository: `signed` holds what each role says next, `signers` who signs it, `served` what is served, by version."""

    def __init__(self) -> None:
        root = Root(consistent_snapshot=True, expires=FUTURE)
        self.signed: dict[str, Signed] = {
            "root": root,
            "timestamp": Timestamp(expires=FUTURE),
            "snapshot": Snapshot(expires=FUTURE),
            "targets": Targets(expires=FUTURE),
        }
        self.signers: dict[str, list[CryptoSigner]] = {role: [] for role in TOP}
        self.served: dict[str, list[bytes]] = {}
        self.contents: dict[str, bytes] = {}
        self.asked: list[tuple[str, int | None]] = []
        self.hashes = False
        for role in TOP:
            self.add_key(role)
            self.signed[role].version = 0
        self.publish(*TOP)
        self.anchor = self.served["root"][0]

    @property
    def root(self) -> Root:
        return cast("Root", self.signed["root"])

    @property
    def timestamp(self) -> Timestamp:
        return cast("Timestamp", self.signed["timestamp"])

    @property
    def snapshot(self) -> Snapshot:
        return cast("Snapshot", self.signed["snapshot"])

    def targets(self, role: str = "targets") -> Targets:
        return cast("Targets", self.signed[role])

    def add_key(self, role: str, signer: CryptoSigner | None = None, *, by: str = "") -> CryptoSigner:
        """Let another key sign for a role, of root's or of the targets role that delegates to it."""
        made = signer or CryptoSigner.generate_ed25519()
        (self.targets(by) if by else self.root).add_key(made.public_key, role)
        self.signers.setdefault(role, []).append(made)
        return made

    def rotate_keys(self, role: str) -> None:
        for signer in self.signers[role]:
            self.root.revoke_key(signer.public_key.keyid, role)
        self.signers[role] = []
        self.add_key(role)

    def publish(self, *roles: str, keep_version: bool = False) -> None:
        """Publish the next version of roles, in this order; those above that name them are told, not published."""
        for role in roles:
            if not keep_version:
                self.signed[role].version += 1
            made: Metadata[Any] = Metadata(self.signed[role])
            for signer in self.signers[role]:
                made.sign(signer, append=True)
            self.served.setdefault(role, []).append(made.to_bytes(JSONSerializer()))
            self._tell(role)

    def _tell(self, role: str) -> None:
        data = self.served[role][-1]
        described = MetaFile(self.signed[role].version)
        if self.hashes:
            described = MetaFile(described.version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})
        if role == "snapshot":
            self.timestamp.snapshot_meta = described
        elif role not in {"root", "timestamp"}:
            self.snapshot.meta[f"{role}.json"] = described

    def add_target(
        self, name: str, content: bytes, role: str = "targets", hashes: tuple[str, ...] = ("sha256",)
    ) -> None:
        self.targets(role).targets[name] = TargetFile.from_data(name, content, list(hashes))
        self.contents[name] = content

    def delegate(self, by: str, name: str, *paths: str, terminating: bool = False) -> None:
        """Let a role delegate to another, which is made where it is new."""
        parent = self.targets(by)
        if parent.delegations is None:
            parent.delegations = Delegations({}, {})
        assert parent.delegations.roles is not None
        parent.delegations.roles[name] = DelegatedRole(name, [], 1, terminating, list(paths or ("*",)))
        if name not in self.signed:
            self.signed[name] = Targets(expires=FUTURE)
            # The first version is published as 1.
            self.signed[name].version = 0
        self.add_key(name, by=by)

    def forget(self, role: str, version: int) -> None:
        """Serve nothing of a role any more, and go on from this version."""
        self.served[role] = []
        self.signed[role].version = version

    def change(self, role: str, alter: Callable[[bytes], bytes]) -> None:
        """Change the newest bytes that are served of a role."""
        self.served[role][-1] = alter(self.served[role][-1])

    def ask(self, method: str, path: str, *, doing: str, limit_bytes: int) -> tuple[int, bytes]:
        """Answer as a web server does; the signature is that of `Service.ask`."""
        del method, doing, limit_bytes
        content = self._target(path) if path.startswith("/targets/") else self._metadata(path)
        return (404, b"") if content is None else (200, content)

    def _target(self, path: str) -> bytes | None:
        folder, _, name = unquote(path.removeprefix("/targets/")).rpartition("/")
        target = f"{folder}/{name.partition('.')[2]}".removeprefix("/")
        return self.contents.get(target)

    def _metadata(self, path: str) -> bytes | None:
        version, _, name = unquote(path).removeprefix("/").removesuffix(".json").partition(".")
        role, wanted = (name, int(version)) if name else (version, None)
        self.asked.append((role, wanted))
        served = self.served.get(role, [])
        if wanted is None:
            return served[-1] if served else None
        if role == "root":
            return served[wanted - 1] if wanted <= len(served) else None
        # Whatever stands in it: versions are the repository's word.
        first = self.signed[role].version - len(served) + 1
        return served[wanted - first] if 0 <= wanted - first < len(served) else None


@dataclass
class Client:
    """Follows a simulator in a folder; `found` are the targets that the last update handed over."""

    repository: Simulator
    folder: Path
    found: dict[str, bytes] = field(default_factory=dict)

    def refresh(self, *names: str) -> str:
        """Update and fetch these targets; give the code of the error, or ""."""
        self.found = {}

        def accept(found: Mapping[str, bytes]) -> None:
            self.found = dict(found)

        try:
            service = cast("Service", self.repository)
            update_from(service, "https://tuf.example", self.folder, self.repository.anchor, names, accept=accept)
        except GateError as error:
            return error.code
        return ""

    def version(self, role: str) -> int | None:
        """Return the version of a role that is trusted, None where there is none."""
        path = self.folder / "state" / f"{role}.json"
        return Metadata.from_bytes(path.read_bytes()).signed.version if path.is_file() else None

    def versions(self, roles: Iterable[str] = TOP) -> list[int | None]:
        return [self.version(role) for role in roles]
