"""A policy from bytes: strict, whole or not at all.

Every key, value and file is looked at before a value is made; the first fault refuses the document with file, line and
column. What needs a clock (has the policy ended, does a waiver end too late) is `require_policy_dates`, so that the same bytes
always parse the same way. Sections that this release does not understand are refused, never skipped (attacks P01, P02).

Specification: DESIGN, section 6; `schemas/policy.schema.json` describes the same keys and values.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.codec.policy.attestations import read_attestations, read_provenance
from gate.codec.policy.coverage import read_coverage
from gate.codec.policy.files import FileReader
from gate.codec.policy.image import read_image
from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import read_id
from gate.codec.policy.secrets import read_secrets
from gate.codec.policy.settings import read_attest, read_limits, read_platforms, read_references
from gate.codec.policy.signers import read_signature_rules
from gate.codec.policy.trust import read_trust
from gate.codec.policy.vulnerabilities import read_vulnerabilities
from gate.codec.policy.waivers import read_rules, read_waivers
from gate.codec.yaml_document import parse_yaml
from gate.codec.yaml_node import Node
from gate.errors import PolicyError
from gate.model.digest import Digest
from gate.model.limits import LayerLimits
from gate.model.policy import (
    DEFAULT_WAIVER_MAX_DURATION,
    AttestSettings,
    CoveragePolicy,
    Policy,
    RevisionRule,
    SecretsFailOn,
    UserRule,
)

if TYPE_CHECKING:
    from gate.codec.policy.files import PolicyFiles
    from gate.codec.yaml_node import Fields
    from gate.model.policy import ImagePolicy

API_VERSION: Final = "gate/v1"
KIND: Final = "Policy"


def parse_policy(data: bytes, *, name: str, files: PolicyFiles) -> Policy:
    """Parse a policy; `name` is the file's name in messages, `files` reads what the policy points to.

    Raises:
        PolicyError: one of the codes `POL_*`; the message begins with `name:line:column`.
        KeyFileError: `KEY_MALFORMED` or `KEY_WEAK`, for a key that the policy points to.
    """
    root = parse_yaml(data, name=name)
    if root is None or not (root.kind != "mapping" or root.entries()):
        raise PolicyError(f"{name}:1:1: the policy is empty", code="POL_EMPTY", expected=f"kind: {KIND} with a spec")
    fields, metadata = read_head(root, KIND, POLICY_KEYS["metadata"])
    reader = FileReader(files)
    spec = fields.demand("spec", lambda node: _spec(node, name))
    policy = _policy(Digest.of(data), metadata, spec, reader)
    if policy.image is not None and policy.image.revision is RevisionRule.PROVENANCE and policy.provenance is None:
        expected = "spec.provenance, which says whose provenance counts"
        raise spec.values["image"].refuse("compares the commit with provenance that nobody demands", expected=expected)
    if asks_for_nothing(policy):
        raise spec.node.refuse("asks for no check", code="POL_EMPTY", expected="at least one section that can refuse")
    return policy


def read_head(root: Node, kind: str, metadata_keys: tuple[str, ...]) -> tuple[Fields, Fields]:
    """Read `apiVersion`, `kind` and `metadata`, and give the document's fields and those of `metadata`."""
    fields = root.fields(POLICY_KEYS[""])
    fields.demand("apiVersion", lambda node: _literally(node, API_VERSION))
    fields.demand("kind", lambda node: _literally(node, kind))
    return fields, fields.demand("metadata", lambda node: node.fields(metadata_keys))


def _literally(node: Node, word: str) -> None:
    if node.text() != word:
        raise node.refuse("is not of this kind", expected=word, seen=node.text())


def _spec(node: Node, name: str) -> Fields:
    if node.is_nothing or (node.kind == "mapping" and not node.entries()):
        raise PolicyError(f"{name}:{node.line}:{node.column}: spec asks for no check", code="POL_EMPTY")
    return node.fields(POLICY_KEYS["spec"])


def _policy(digest: Digest, metadata: Fields, spec: Fields, files: FileReader) -> Policy:
    files.trusts.update(spec.get("trust", partial(read_trust, files=files), {}))
    section = spec.get("vulnerabilities", partial(read_vulnerabilities, files=files), None)
    signature = spec.get("signature", partial(read_signature_rules, files=files), None)
    return Policy(
        name=metadata.demand("name", read_id),
        digest=digest,
        description=metadata.get("description", Node.text, ""),
        expires=metadata.get("expires", Node.date, None),
        registries=spec.get("references", read_references, ()),
        platforms=spec.get("platforms", read_platforms, ()),
        signature=signature,
        provenance=spec.get("provenance", partial(read_provenance, files=files), None),
        attestations=spec.get("attestations", partial(read_attestations, files=files), ()),
        vulnerabilities=section.policy if section else None,
        secrets=spec.get("secrets", partial(read_secrets, files=files), None),
        coverage=spec.get("coverage", read_coverage, CoveragePolicy()),
        image=spec.get("image", read_image, None),
        rules=spec.get("rules", read_rules, ()),
        waivers=spec.get("waivers", read_waivers, ()),
        waiver_max_duration=spec.get("waiverMaxDuration", Node.duration, DEFAULT_WAIVER_MAX_DURATION),
        limits=spec.get("limits", read_limits, LayerLimits()),
        attest=spec.get("attest", read_attest, AttestSettings()),
        unpinned=tuple(files.unpinned),
        kev_file=section.kev_file if section else None,
        epss_file=section.epss_file if section else None,
    )


_NO_SECRET_REFUSES: Final = SecretsFailOn(own=None, packaged=None)


def asks_for_nothing(policy: Policy) -> bool:
    """Say whether no section of the policy could refuse an image."""
    secrets = policy.secrets is not None and policy.secrets.fail_on != _NO_SECRET_REFUSES
    image = policy.image is not None and _asks_of_image(policy.image)
    attested = policy.signature or policy.provenance or policy.attestations
    return not any((policy.registries, attested, policy.vulnerabilities, secrets, image, policy.rules))


def _asks_of_image(image: ImagePolicy) -> bool:
    restricted = image.user is not UserRule.ANY or image.revision is not RevisionRule.ANY
    listed = image.ports_deny or image.labels_deny or image.base or image.setuid_allow is not None
    return restricted or bool(listed) or image.max_age is not None


def require_policy_dates(policy: Policy, now: datetime) -> None:
    """Refuse a policy that has ended, and one with a waiver that ends too far away; days end at 24:00 UTC.

    Raises:
        PolicyError: `POL_EXPIRED` or `POL_WAIVER`.
    """
    today = now.astimezone(UTC).date()
    if policy.expires is not None and policy.expires < today:
        raise PolicyError(
            f"the policy {policy.name!r} has ended",
            code="POL_EXPIRED",
            expected=f"a day from {today}",
            seen=str(policy.expires),
        )
    for waiver in policy.waivers:
        if waiver.expires - today > policy.waiver_max_duration:
            raise PolicyError(
                f"the waiver {waiver.id!r} of the policy {policy.name!r} ends too far away",
                code="POL_WAIVER",
                expected=f"at most {policy.waiver_max_duration.days} days from {today}",
                seen=str(waiver.expires),
            )
