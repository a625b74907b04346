"""What was collected about an image, with the settings under which it was: enough to decide again under another policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gate.model.digest import Digest
from gate.model.evidence import EvidenceSet
from gate.model.image import Platform
from gate.model.limits import LayerLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What of the policy and the request the collected evidence depends on.

    `policy` is the digest under which rules and documents were answered, `answered_at` when; None where nobody asked them yet.
    `overridden` says that settings on the command line were laid over that policy, which are not kept. `secret_rules` are the
    digests of the policy's own files of rules, in their order. `environments` are those that were asked for; None: the policy's
    own. `withheld` says that texts of a configuration were left out, because a secret was found in them or nobody had searched
    them.
    """

    policy: Digest | None = None
    answered_at: datetime | None = None
    overridden: bool = False
    platforms: tuple[Platform, ...] = ()
    limits: LayerLimits = field(default_factory=LayerLimits)
    secret_rules: tuple[Digest, ...] = ()
    environments: tuple[str, ...] | None = None
    withheld: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The evidence of one image and the conditions under which it was collected."""

    evidence: EvidenceSet
    conditions: Conditions = field(default_factory=Conditions)
