"""Policies and requirements for tests, written as data and turned into the bytes that a person could have written."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gate.codec.policy.document import parse_policy
from gate.codec.policy.files import ShippedRoot
from gate.codec.requirement.document import parse_requirement
from gate.errors import GateError, PolicyError
from gate.model.digest import Digest
from gate.model.policy import Policy
from gate.model.requirement import Requirement
from tests.support.signing import GATE, STRANGER, pem_of
from tests.support.virtual_sigstore import VirtualSigstore, public_pem

SIGSTORE = VirtualSigstore()
SIGSTORE_ROOT = SIGSTORE.trusted_root()
KEY_PEM = pem_of(GATE.public_key)
OTHER_PEM = pem_of(STRANGER.public_key)


@dataclass(frozen=True, slots=True)
class MemoryFiles:
    """The policy's folder as a mapping."""

    content: Mapping[str, bytes] = field(default_factory=dict)

    def read(self, path: str) -> bytes:
        if path not in self.content:
            raise PolicyError("no such file", code="POL_FILE")
        return self.content[path]

    def digest(self, path: str) -> Digest:
        return Digest.of(self.read(path))

    def public_root(self) -> ShippedRoot:
        return ShippedRoot(content=SIGSTORE_ROOT, package="sigstore 0.0")


KEY_A, KEY_B = {"file": "keys/a.pub"}, {"file": "keys/b.pub"}
HEX_A = Digest.of(KEY_PEM).hex
FILES = MemoryFiles(
    {
        "keys/a.pub": KEY_PEM,
        "keys/b.pub": OTHER_PEM,
        "keys/virtual.pub": public_pem(SIGSTORE.key),
        "trust/sigstore.json": SIGSTORE_ROOT,
        "trust/other.json": VirtualSigstore(seed=1).trusted_root(),
    }
)


def policy_document(**spec: object) -> dict[str, Any]:
    """Return a policy with this spec, or with one that asks for vulnerabilities alone."""
    sections = spec or {"vulnerabilities": {}}
    return {"apiVersion": "gate/v1", "kind": "Policy", "metadata": {"name": "test"}, "spec": copy.deepcopy(sections)}


def requirement_document(*images: object) -> dict[str, Any]:
    return {
        "apiVersion": "gate/v1",
        "kind": "Requirement",
        "metadata": {"name": "test"},
        "spec": {"images": list(images)},
    }


def as_bytes(document: object) -> bytes:
    """Return the document as JSON, which is YAML."""
    return json.dumps(document, indent=1).encode()


def policy(document: object, files: MemoryFiles = FILES) -> Policy:
    return parse_policy(as_bytes(document), name="policy.yaml", files=files)


def requirement(document: object, files: MemoryFiles = FILES) -> Requirement:
    return parse_requirement(as_bytes(document), name="requirement.yaml", files=files)


def refusal(document: object, files: MemoryFiles = FILES) -> GateError:
    """Return the error with which the policy is refused."""
    with pytest.raises(GateError) as caught:
        policy(document, files)
    return caught.value


def signature(**changes: object) -> dict[str, Any]:
    """Return a policy with one entry of signers."""
    return policy_document(signature=[{"images": "**", "anyOf": [{"key": KEY_A}]} | changes])


def waiver(**changes: object) -> dict[str, Any]:
    """Return a whole waiver for a vulnerability; a change to None takes the field away."""
    whole = {
        "id": "W-1",
        "check": "vulnerability",
        "images": "registry.example/shop/**",
        "match": {"vulnerability": "CVE-2024-0001", "package": "pkg:deb/debian/zlib1g", "versions": "< 1:1.3"},
        "reason": "not reachable",
        "owner": "web-team",
        "approvedBy": "security",
        "expires": "2027-01-31",
    }
    return {key: value for key, value in (whole | changes).items() if value is not None}
