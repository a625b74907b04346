"""A requirement from bytes: what a deploy stage demands, in a document of its own.

It trusts nobody else's policy file: keys, accepted policies, environment and age are the deploy stage's own words. Refuses
empty lists (attack I06), an entry that demands nothing or two things, and any default but `refuse`.

Specification: DESIGN, section 6; `schemas/requirement.schema.json` describes the same keys and values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.codec.policy.document import read_head
from gate.codec.policy.files import FileReader
from gate.codec.policy.keys import REQUIREMENT_KEYS
from gate.codec.policy.patterns import (
    distinct,
    read_glob,
    read_id,
    read_name,
    read_prefix,
    read_repository,
    read_uri,
)
from gate.codec.policy.settings import MAX_VERDICT_AGE, read_platforms
from gate.codec.policy.signers import read_signer_of, read_signers
from gate.codec.policy.trust import read_trust
from gate.codec.requirement.cluster import read_cluster, read_mode
from gate.codec.yaml_document import parse_yaml
from gate.codec.yaml_node import Node
from gate.errors import PolicyError, UsageError
from gate.model.digest import Digest
from gate.model.policy_signers import SignatureRule
from gate.model.requirement import (
    DEFAULT_EVIDENCE_TYPE,
    DEFAULT_EXTENSION_PREFIX,
    DEFAULT_MAX_AGE,
    ClusterRules,
    ImageRequirement,
    Mode,
    Requirement,
    VerdictRule,
    VerdictSigner,
)

if TYPE_CHECKING:
    from gate.codec.policy.files import PolicyFiles
    from gate.model.glob import Glob

KIND: Final = "Requirement"
_EMPTY: Final = "POL_EMPTY_IDENTITY"
_ENTRY: Final = "spec.images[]"
_VERDICT: Final = f"{_ENTRY}.verdict"


def parse_requirement(data: bytes, *, name: str, files: PolicyFiles) -> Requirement:
    """Parse a requirement; `name` is the file's name in messages, `files` reads what it points to.

    Raises:
        PolicyError: one of the codes `POL_*`; the message begins with `name:line:column`.
        KeyFileError: `KEY_MALFORMED` or `KEY_WEAK`, for a key that it points to.
    """
    root = parse_yaml(data, name=name)
    if root is None or not (root.kind != "mapping" or root.entries()):
        raise PolicyError(f"{name}:1:1: the requirement is empty", code="POL_EMPTY", expected=f"kind: {KIND}")
    fields, metadata = read_head(root, KIND, REQUIREMENT_KEYS["metadata"])
    spec = fields.demand("spec", lambda node: node.fields(REQUIREMENT_KEYS["spec"], missing="POL_EMPTY"))
    spec.get("default", _refuse, None)
    reader = FileReader(files)
    reader.trusts.update(spec.get("trust", partial(read_trust, files=reader), {}))
    metadata.get("description", Node.text, "")
    return Requirement(
        name=metadata.demand("name", read_id),
        digest=Digest.of(data),
        images=spec.demand("images", lambda node: tuple(_entry(i, reader) for i in node.items(empty_code="POL_EMPTY"))),
        platforms=spec.get("platforms", read_platforms, ()),
        cluster=spec.get("cluster", read_cluster, ClusterRules()),
    )


def _refuse(node: Node) -> None:
    if node.text() != "refuse":
        raise node.refuse("is not acceptable", expected="refuse, the only default", seen=node.text())


def _entry(node: Node, files: FileReader) -> ImageRequirement:
    fields = node.fields(REQUIREMENT_KEYS[_ENTRY])
    match = fields.demand("match", read_glob)
    elsewhere = fields.get("attestationsIn", read_repository, None)
    mode = fields.get("mode", read_mode, Mode.ENFORCE)
    if fields.one_of("verdict", "signature") == "verdict":
        verdict = fields.demand("verdict", partial(_verdict, files=files))
        return ImageRequirement(match=match, verdict=verdict, attestations_in=elsewhere, mode=mode)
    signature = fields.demand("signature", partial(_signature, match, files))
    return ImageRequirement(match=match, signature=signature, attestations_in=elsewhere, mode=mode)


def _signature(match: Glob, files: FileReader, node: Node) -> SignatureRule:
    fields = node.fields(REQUIREMENT_KEYS[f"{_ENTRY}.signature"], missing=_EMPTY)
    return read_signers(fields, match, files)


def _verdict(node: Node, files: FileReader) -> VerdictRule:
    fields = node.fields(REQUIREMENT_KEYS[_VERDICT], missing=_EMPTY)
    return VerdictRule(
        signed_by=fields.demand("signedBy", partial(_signers, files=files)),
        failed_by=fields.get("failedBy", partial(_signers, files=files), ()),
        policies=fields.demand("policies", partial(_policies, files=files)),
        environment=fields.get("environment", read_name, None),
        max_age=fields.get("maxAge", lambda value: value.duration(MAX_VERDICT_AGE), DEFAULT_MAX_AGE),
        require_timestamp=fields.get("requireTimestamp", Node.boolean, default=False),
        extension_prefixes=fields.get("extensionPrefixes", partial(_uris, read_prefix), (DEFAULT_EXTENSION_PREFIX,)),
        evidence_types=fields.get("evidencePredicateTypes", partial(_uris, read_uri), (DEFAULT_EVIDENCE_TYPE,)),
    )


def _signers(node: Node, files: FileReader) -> tuple[VerdictSigner, ...]:
    signers = [_signer(item, files) for item in node.items(most=100, empty_code=_EMPTY)]
    return distinct(node, signers, "signer")


def _signer(node: Node, files: FileReader) -> VerdictSigner:
    fields = node.fields(REQUIREMENT_KEYS[f"{_VERDICT}.signedBy[]"], missing=_EMPTY)
    return VerdictSigner(signer=read_signer_of(fields, files), verifier_id=fields.get("verifierId", read_uri, None))


def _policies(node: Node, files: FileReader) -> frozenset[Digest]:
    items = node.items(most=100, empty_code=_EMPTY)
    return frozenset(distinct(node, (_policy(item, files) for item in items), "policy"))


def _policy(node: Node, files: FileReader) -> Digest:
    """Read the digest of a policy, or the file whose bytes have it; the file is not parsed here."""
    if node.kind == "mapping":
        return files.node(node).digest
    try:
        return Digest(node.text())
    except UsageError as error:
        expected = "sha256: and 64 lower-case hex digits, or {file: ...}"
        raise node.refuse("is not a policy's digest", expected=expected, seen=node.text()) from error


def _uris(read: Callable[[Node], str], node: Node) -> tuple[str, ...]:
    return distinct(node, map(read, node.items(most=20, empty_code="POL_MALFORMED")), "URI")
