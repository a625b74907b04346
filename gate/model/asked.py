"""Which checks a policy asks for, and which of them it lets refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.model.policy import FailOrWarn, RevisionRule, UserRule

if TYPE_CHECKING:
    from datetime import datetime

    from gate.model.policy import ImagePolicy, Policy

# What proves whose image it is, and that all of it was seen, is never only a warning (DESIGN, section 6).
NEVER_WARNED: Final = frozenset({"reference", "signature", "provenance", "coverage"})


def refusing_checks(policy: Policy, now: datetime | None = None) -> frozenset[str]:
    """Return the ids of the checks that the policy asks for and lets refuse; None as time: at any time.

    Completeness and the digest of the reference are demanded of every image: neither is something that a policy asks for.
    """
    return asked_checks(policy, now) - {*policy.warn}


def asked_checks(policy: Policy, now: datetime | None = None) -> frozenset[str]:
    """Return the ids of the checks with at least one thing that could refuse, were it not for `warn`."""
    secrets, image = policy.secrets, policy.image
    asked = {
        "reference": policy.registries,
        "signature": policy.signature is not None,
        "provenance": policy.provenance is not None,
        "attestation": policy.attestations,
        "vulnerability": policy.vulnerabilities is not None,
        "secret": secrets is not None and (secrets.fail_on.own or secrets.fail_on.packaged),
        "rules": any(rule.level is FailOrWarn.FAIL if now is None else rule.refuses(now) for rule in policy.rules),
    }
    return frozenset(check for check, given in asked.items() if given) | (_asked_of_image(image) if image else set())


def _asked_of_image(image: ImagePolicy) -> frozenset[str]:
    asked = {
        "image-user": image.user is not UserRule.ANY,
        "image-age": image.max_age is not None,
        "revision": image.revision is not RevisionRule.ANY,
        "image-config": image.ports_deny or image.labels_deny,
        "image-files": image.setuid_allow is not None,
        "base-image": image.base,
    }
    return frozenset(check for check, given in asked.items() if given)
