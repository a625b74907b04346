"""A requirement in the words of two admission controllers, for clusters that run one of them and not the gate's webhook.

What they cannot say is not written and stands in `docs/interoperability.md`: neither knows whether a newer verdict says FAILED,
and neither compares the repository that a verdict names. So the age is always compared, and stays short. What would be lost
without a word is refused: signers whose trusted root the controller does not have, and a demanded timestamp.

Specification: policy-controller v0.13 `ClusterImagePolicy`; Kyverno `ClusterPolicy`, `verifyImages`; formats reference,
section 17.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

import yaml

from gate.codec.keys import render_public_key
from gate.errors import UsageError
from gate.model.policy_signers import KeylessSigner, KeySigner
from gate.model.statement import PASSED_LEVEL, VERIFICATION_SUMMARY
from gate.model.trust import PUBLIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gate.model.identity import Matcher
    from gate.model.policy_signers import SignatureRule, Signer
    from gate.model.requirement import ImageRequirement, Requirement, VerdictRule, VerdictSigner

_Fields = dict[str, object]
_SECONDS_A_HOUR: Final = 3600


class Controller(StrEnum):
    """Whose words a requirement is written in."""

    POLICY_CONTROLLER = "policy-controller"
    KYVERNO = "kyverno"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a requirement with the name that its document gets."""

    name: str
    requirement: ImageRequirement


def export_requirement(requirement: Requirement, controller: Controller) -> str:
    """Return the requirement as YAML documents, one an entry.

    Raises:
        UsageError: `USAGE`, it demands what the controller cannot check.
    """
    entries = [_Entry(f"{requirement.name}-{place}", item) for place, item in enumerate(requirement.images, start=1)]
    write = _cluster_image_policy if controller is Controller.POLICY_CONTROLLER else _kyverno_policy
    documents = [write(entry) for entry in entries]
    head = f"# {requirement.name} ({requirement.digest}), for {controller}. What it cannot check: docs/interoperability.md\n"
    # The comment belongs to the first document: policy-controller takes one that stands alone for a broken policy.
    return head + "---\n".join(yaml.dump(document, Dumper=_Dumper, sort_keys=False) for document in documents)


class _Dumper(yaml.SafeDumper):
    """Writes keys and rules as the blocks that people read."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _cluster_image_policy(entry: _Entry) -> _Fields:
    requirement = entry.requirement
    if requirement.verdict is not None:
        rule = requirement.verdict
        _expect_sayable(rule)
        authorities = [_verdict_authority(place, signer, rule) for place, signer in enumerate(rule.signed_by, start=1)]
    else:
        signers = _any_signer(requirement.signature)
        authorities = [_authority(f"signer-{place}", signer) for place, signer in enumerate(signers, start=1)]
    return {
        "apiVersion": "policy.sigstore.dev/v1beta1",
        "kind": "ClusterImagePolicy",
        "metadata": {"name": entry.name},
        "spec": {"mode": "enforce", "images": [{"glob": str(requirement.match)}], "authorities": authorities},
    }


def _verdict_authority(place: int, signer: VerdictSigner, rule: VerdictRule) -> _Fields:
    attestation = {
        "name": "gate-passed",
        "predicateType": VERIFICATION_SUMMARY,
        "policy": {"type": "rego", "data": _rego(signer, rule)},
    }
    return {**_authority(f"gate-{place}", signer.signer), "attestations": [attestation]}


def _authority(name: str, signer: Signer) -> _Fields:
    match signer:
        case KeySigner(key=key):
            return {"name": name, "key": {"data": render_public_key(key).decode(), "hashAlgorithm": "sha256"}}
        case KeylessSigner(identity=identity):
            _expect_public(signer)
            words = {
                **_matched("issuer", "issuerRegExp", identity.issuer),
                **_matched("subject", "subjectRegExp", identity.subject),
            }
            keyless: _Fields = {"url": "https://fulcio.sigstore.dev", "identities": [words]}
            log = {"url": "https://rekor.sigstore.dev"}
            return {"name": name, "keyless": keyless, "ctlog": log, "signatureFormat": "bundle"}
        case _ as unreachable:
            assert_never(unreachable)


def _matched(exact: str, pattern: str, matcher: Matcher) -> _Fields:
    """Return a matcher in a controller's words; their patterns are not anchored (attack I02), ours are whole."""
    return {pattern: f"^(?:{matcher.text})$"} if matcher.is_pattern else {exact: matcher.text}


def _rego(signer: VerdictSigner, rule: VerdictRule) -> str:
    """Write what a verdict must say; OPA reads the clock, so that an old pass does not last for ever."""
    accepted = json.dumps(sorted(digest.hex for digest in rule.policies))
    lines = [
        f"input.predicateType == {json.dumps(VERIFICATION_SUMMARY)}",
        'input.predicate.verificationResult == "PASSED"',
        f"input.predicate.verifiedLevels[_] == {json.dumps(PASSED_LEVEL)}",
        "accepted[_] == input.predicate.policy.digest.sha256",
        *_rego_environment(rule),
        "verified := time.parse_rfc3339_ns(input.predicate.timeVerified)",
        "verified <= time.now_ns() + 300000000000",
        f"verified + {int(rule.max_age.total_seconds())}000000000 >= time.now_ns()",
    ]
    if signer.verifier_id is not None:
        lines.insert(3, f"input.predicate.verifier.id == {json.dumps(signer.verifier_id)}")
    body = "".join(f"  {line}\n" for line in lines)
    return (
        "package sigstore\n\n"
        "default isCompliant = false\n\n"
        f"accepted := {accepted}\n\n"
        f"environments := {{name | name := input.predicate[{_extension(rule)}][_]}}\n\n"
        f"isCompliant {{\n{body}}}\n"
    )


def _extension(rule: VerdictRule) -> str:
    return json.dumps(f"{rule.extension_prefixes[0]}environments")


def _rego_environment(rule: VerdictRule) -> list[str]:
    return (
        ["count(environments) == 0"] if rule.environment is None else [f"environments[{json.dumps(rule.environment)}]"]
    )


def _kyverno_policy(entry: _Entry) -> _Fields:
    requirement = entry.requirement
    verify: _Fields = {
        "imageReferences": [str(requirement.match).replace("**", "*")],
        "type": "Cosign",
        "required": True,
        "verifyDigest": True,
        "mutateDigest": False,
        "failureAction": "Enforce",
    }
    if requirement.verdict is not None:
        _expect_sayable(requirement.verdict)
        verify["attestations"] = [_kyverno_attestation(requirement.verdict)]
    else:
        verify["attestors"] = [_attestors(_any_signer(requirement.signature))]
    rule = {
        "name": "gate",
        "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
        "verifyImages": [verify],
    }
    return {
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": entry.name},
        "spec": {"failurePolicy": "Fail", "webhookTimeoutSeconds": 30, "background": False, "rules": [rule]},
    }


def _kyverno_attestation(rule: VerdictRule) -> _Fields:
    verifiers = sorted({signer.verifier_id for signer in rule.signed_by if signer.verifier_id is not None})
    if verifiers and (len(verifiers) > 1 or any(signer.verifier_id is None for signer in rule.signed_by)):
        raise _cannot("Kyverno cannot bind each signer to a verifier of its own", "one verifierId for all of signedBy")
    conditions = [
        {"key": "{{ verificationResult }}", "operator": "Equals", "value": "PASSED"},
        {
            "key": "{{ policy.digest.sha256 }}",
            "operator": "AnyIn",
            "value": sorted(digest.hex for digest in rule.policies),
        },
        *({"key": "{{ verifier.id }}", "operator": "Equals", "value": name} for name in verifiers),
        _kyverno_environment(rule),
        {
            "key": "{{ time_since('', '{{ timeVerified }}', '') }}",
            "operator": "LessThanOrEquals",
            "value": f"{int(rule.max_age.total_seconds()) // _SECONDS_A_HOUR}h",
        },
    ]
    return {
        "type": VERIFICATION_SUMMARY,
        "attestors": [_attestors([signer.signer for signer in rule.signed_by])],
        "conditions": [{"all": conditions}],
    }


def _kyverno_environment(rule: VerdictRule) -> _Fields:
    key = f"{{{{ {_extension(rule)} || `[]` }}}}"
    if rule.environment is None:
        return {"key": f"{{{{ length({_extension(rule)} || `[]`) }}}}", "operator": "Equals", "value": 0}
    return {"key": key, "operator": "AnyIn", "value": [rule.environment]}


def _attestors(signers: Sequence[Signer]) -> _Fields:
    return {"count": 1, "entries": [_attestor(signer) for signer in signers]}


def _attestor(signer: Signer) -> _Fields:
    match signer:
        case KeySigner(key=key):
            ignored = {"rekor": {"ignoreTlog": True}, "ctlog": {"ignoreSCT": True}}
            return {"keys": {"publicKeys": render_public_key(key).decode(), **ignored}}
        case KeylessSigner(identity=identity):
            _expect_public(signer)
            words = {
                **_matched("issuer", "issuerRegExp", identity.issuer),
                **_matched("subject", "subjectRegExp", identity.subject),
            }
            return {"keyless": {**words, "rekor": {"url": "https://rekor.sigstore.dev"}}}
        case _ as unreachable:
            assert_never(unreachable)


def _any_signer(rule: SignatureRule | None) -> tuple[Signer, ...]:
    if rule is None or rule.all_of or rule.annotations:
        raise _cannot("signers that must all sign, and annotations, cannot be exported", "anyOf without annotations")
    return rule.any_of


def _expect_sayable(rule: VerdictRule) -> None:
    if rule.require_timestamp:
        raise _cannot("a trusted time of a verdict cannot be demanded there", "requireTimestamp: false")
    if rule.max_age.total_seconds() < _SECONDS_A_HOUR:
        raise _cannot("ages are compared in hours there", "maxAge of 1h or more")


def _expect_public(signer: KeylessSigner) -> None:
    """Refuse identities of another Sigstore: the controller would look for them in the public one."""
    if signer.trust.name != PUBLIC or signer.identity.claims:
        raise _cannot("claims, and identities under a trusted root of your own, cannot be exported", "trust: public")


def _cannot(message: str, expected: str) -> UsageError:
    return UsageError(
        message, expected=expected, next_step="See docs/interoperability.md; `gate verify` checks all of it."
    )
