"""A policy from bytes: strict, whole or not at all.

Every key, value and file is looked at before a value is made; the first fault refuses the document with file, line and
column. What needs a clock (has the policy ended, does a waiver end too late) is `require_policy_dates`, so that the same bytes
always parse the same way. Sections that this release does not understand are refused, never skipped (attacks P01, P02).

Specification: DESIGN, section 6; `schemas/policy.schema.json` describes the same keys and values.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.codec.policy.attestations import read_attestations, read_provenance
from gate.codec.policy.coverage import read_coverage
from gate.codec.policy.files import FileReader
from gate.codec.policy.image import read_image
from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import read_id
from gate.codec.policy.references import allowed_repositories, read_references, reference_exceptions
from gate.codec.policy.secrets import read_secrets
from gate.codec.policy.settings import read_attest, read_limits, read_platforms
from gate.codec.policy.signers import read_signature_rules
from gate.codec.policy.trust import read_trust
from gate.codec.policy.vulnerabilities import read_vulnerabilities
from gate.codec.policy.waivers import read_rules, read_waivers, require_rules_exist
from gate.codec.policy.warnings import read_warn
from gate.codec.yaml_document import parse_yaml
from gate.codec.yaml_node import Node
from gate.errors import PolicyError
from gate.model.asked import asked_checks, refusing_checks
from gate.model.digest import Digest
from gate.model.limits import LayerLimits
from gate.model.policy import DEFAULT_WAIVER_MAX_DURATION, AttestSettings, CoveragePolicy, Policy, RevisionRule

if TYPE_CHECKING:
    from gate.codec.policy.files import PolicyFiles
    from gate.codec.yaml_node import Fields

API_VERSION: Final = "gate/v1"
KIND: Final = "Policy"
# An exception that is not looked at once a year is a rule.
MAX_WAIVER_DURATION: Final = timedelta(days=365)


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
    if "waivers" in spec:
        require_rules_exist(spec.values["waivers"], policy)
    if "warn" in spec:
        _require_warned_are_asked(spec.values["warn"], policy)
    if not refusing_checks(policy):
        raise spec.node.refuse(
            "asks for no check that can refuse", code="POL_EMPTY", expected="at least one section that can refuse"
        )
    return policy


def _require_warned_are_asked(node: Node, policy: Policy) -> None:
    """Refuse a warning about a check that the policy does not ask for: it could never turn a verdict."""
    asked = asked_checks(policy) | ({"rules"} if policy.rules else set())
    for item in node.items():
        if item.text() not in asked:
            raise item.refuse(
                "is a check that this policy does not ask for",
                expected=f"one of {', '.join(sorted(asked))}",
                seen=item.text(),
            )


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
    references = spec.get("references", read_references, None)
    signature = spec.get("signature", partial(read_signature_rules, files=files), None)
    return Policy(
        name=metadata.demand("name", read_id),
        digest=digest,
        description=metadata.get("description", Node.text, ""),
        expires=metadata.get("expires", Node.date, None),
        registries=allowed_repositories(references),
        reference_exceptions=reference_exceptions(references),
        platforms=spec.get("platforms", read_platforms, ()),
        signature=signature,
        provenance=spec.get("provenance", partial(read_provenance, files=files), None),
        attestations=spec.get("attestations", partial(read_attestations, files=files), ()),
        vulnerabilities=section.policy if section else None,
        secrets=spec.get("secrets", partial(read_secrets, files=files), None),
        coverage=spec.get("coverage", read_coverage, CoveragePolicy()),
        image=spec.get("image", read_image, None),
        rules=spec.get("rules", read_rules, ()),
        warn=spec.get("warn", read_warn, ()),
        waivers=spec.get("waivers", read_waivers, ()),
        waiver_max_duration=spec.get(
            "waiverMaxDuration", lambda value: value.duration(MAX_WAIVER_DURATION), DEFAULT_WAIVER_MAX_DURATION
        ),
        limits=spec.get("limits", read_limits, LayerLimits()),
        attest=spec.get("attest", read_attest, AttestSettings()),
        unpinned=tuple(files.unpinned),
        kev_file=section.kev_file if section else None,
        epss_file=section.epss_file if section else None,
    )


def require_policy_dates(policy: Policy, now: datetime) -> None:
    """Refuse a policy that has ended, one that cannot refuse yet, and one with a waiver that ends too far away.

    Days end at 24:00 UTC.

    Raises:
        PolicyError: `POL_EXPIRED`, `POL_EMPTY` or `POL_WAIVER`.
    """
    today = now.astimezone(UTC).date()
    if policy.expires is not None and policy.expires < today:
        raise PolicyError(
            f"the policy {policy.name!r} has ended",
            code="POL_EXPIRED",
            expected=f"a day from {today}",
            seen=str(policy.expires),
        )
    if not refusing_checks(policy, now):
        begins = min(str(rule.begins) for rule in policy.rules if rule.begins is not None)
        raise PolicyError(
            f"the policy {policy.name!r} can refuse nothing before {begins}, when its first rule begins",
            code="POL_EMPTY",
            expected="at least one section that can refuse now",
        )
    for waiver in policy.waivers:
        if waiver.expires - today > policy.waiver_max_duration:
            raise PolicyError(
                f"the waiver {waiver.id!r} of the policy {policy.name!r} ends too far away",
                code="POL_WAIVER",
                expected=f"at most {policy.waiver_max_duration.days} days from {today}",
                seen=str(waiver.expires),
            )
