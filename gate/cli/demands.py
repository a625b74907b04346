"""What `gate verify` demands, read from the files that the user names."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from gate.codec.keys import parse_public_key
from gate.collectors.policy_folder import PolicyFolder, document_name, read_document
from gate.model.digest import Digest
from gate.signers.key_file import read_key_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from gate.model.requirement import Requirement
    from gate.model.signer import PublicKey


def public_key(path: Path) -> PublicKey:
    """Give the public key in a file; raises KeyFileError."""
    return parse_public_key(read_key_file(path))


def accepted_policy(policy: Path | Digest) -> Digest:
    """Give the digest of a policy that is accepted: what stands in verdicts is that of its bytes; raises PolicyError."""
    return policy if isinstance(policy, Digest) else Digest.of(read_document(policy))


def read_requirement(path: Path) -> Requirement:
    """Read a requirement with the files that it points to; raises PolicyError, KeyFileError."""
    # Loaded where there is one: flags need no YAML.
    parse: Callable[..., Requirement] = import_module("gate.codec.requirement_yaml").parse_requirement
    return parse(read_document(path), name=document_name(path), files=PolicyFolder.of(path))
