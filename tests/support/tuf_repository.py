"""A TUF repository made in the test: honest, or with any of its files forged, served over loopback.

`publish()` writes a new state; a test changes what it wants before, or the served bytes after. All ends of metadata are fixed
days: one that is far away, and `PAST` for what must have ended.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from securesystemslib.signer import CryptoSigner  # type: ignore[attr-defined]  # its packages export by import alone
from tuf.api.metadata import Metadata
from tuf.api.serialization.json import JSONSerializer

from tests.support.file_server import Served

FUTURE: Final = datetime(2099, 1, 1, tzinfo=UTC)
PAST: Final = datetime(2020, 1, 1, tzinfo=UTC)
ROLES: Final = ("root", "timestamp", "snapshot", "targets")


def signer(scalar: int) -> CryptoSigner:
    """Return a known key, the same at every run."""
    return CryptoSigner(ec.derive_private_key(scalar, ec.SECP256R1()))


@dataclass(kw_only=True)
class TufRepository:
    """The current state: versions, ends, keys of roles, targets; `files` is what is served, by path."""

    targets: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, list[int]] = field(default_factory=lambda: {"root": [11, 12], **{role: [13] for role in ROLES[1:]}})
    thresholds: dict[str, int] = field(default_factory=lambda: {"root": 2})
    expires: dict[str, datetime] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROLES, 0))
    files: dict[str, Served] = field(default_factory=dict)
    _before: list[int] = field(default_factory=list)

    @property
    def anchor(self) -> bytes:
        """Return the first root metadata, which a person gets by another way."""
        return self.files["/1.root.json"].body

    def publish(self, *, root: bool = False) -> None:
        """Publish a new state; the first time and with `root` also a new root, signed by the keys before it, too."""
        if root or not self.versions["root"]:
            self._publish_root()
        self.versions |= {role: self.versions[role] + 1 for role in ROLES[1:]}
        described = {name: self._target(name, content) for name, content in self.targets.items()}
        self._put("targets", {"targets": described})
        self._put("snapshot", {"meta": {"targets.json": {"version": self.versions["targets"]}}})
        self._put("timestamp", {"meta": {"snapshot.json": {"version": self.versions["snapshot"]}}})

    def _publish_root(self) -> None:
        self.versions["root"] += 1
        keys = {
            signer(number).public_key.keyid: signer(number).public_key for role in ROLES for number in self.keys[role]
        }
        roles = {
            role: {
                "keyids": [signer(number).public_key.keyid for number in self.keys[role]],
                "threshold": self.thresholds.get(role, 1),
            }
            for role in ROLES
        }
        known = {keyid: key.to_dict() for keyid, key in keys.items()}
        self._put("root", {"consistent_snapshot": True, "keys": known, "roles": roles}, self._before)
        self._before = list(self.keys["root"])

    def _target(self, name: str, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        folder, slash, base = name.rpartition("/")
        self.files[f"/targets/{folder}{slash}{digest}.{base}"] = Served(content)
        return {"length": len(content), "hashes": {"sha256": digest}}

    def _put(self, role: str, fields: dict[str, Any], others: list[int] | None = None) -> None:
        self.files[self.path(role)] = Served(self.sign(role, fields, others or []))

    def path(self, role: str) -> str:
        """Return where the role's current metadata is served."""
        return "/timestamp.json" if role == "timestamp" else f"/{self.versions[role]}.{role}.json"

    def sign(self, role: str, fields: dict[str, Any], others: list[int]) -> bytes:
        """Return metadata with these fields, signed by the role's keys and by others."""
        signed = {
            "_type": role,
            "spec_version": "1.0.31",
            "version": self.versions[role],
            "expires": self.expires.get(role, FUTURE).isoformat().replace("+00:00", "Z"),
            **fields,
        }
        made: Metadata[Any] = Metadata.from_dict({"signed": signed, "signatures": []})
        for number in dict.fromkeys([*others, *self.keys[role]]):
            made.sign(signer(number), append=True)
        return made.to_bytes(JSONSerializer())

    def forge(self, role: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the served metadata of a role, and leave its signatures as they are."""
        document = copy.deepcopy(json.loads(self.files[self.path(role)].body))
        change(document)
        self.files[self.path(role)] = Served(json.dumps(document).encode())

    def resign(self, role: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change what a role says, and sign it again with its keys: what a repository itself would do."""
        document = json.loads(self.files[self.path(role)].body)
        change(document["signed"])
        fields = {key: value for key, value in document["signed"].items() if key not in {"_type", "spec_version"}}
        self.files[self.path(role)] = Served(self.sign(role, fields, []))
