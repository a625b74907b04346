"""`image-config`: the configuration asks for nothing that the policy denies: ports and labels.

NIST SP 800-190, 4.1.2. `containerd.io/*` labels are denied by default, because a runtime obeys them (CVE-2026-53488, attack
D13). An exposed port is documentation: its absence proves nothing, its presence says what the author meant.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects, with_config
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind
from gate.model.policy import ImagePolicy
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet
    from gate.model.image_config import ImageConfig
    from gate.model.policy import Policy


# One port or a range, which builders expand and other writers may leave.
_PORTS = re.compile(r"0*([0-9]{1,5})(?:-0*([0-9]{1,5}))?(?:/([A-Za-z]+))?", re.ASCII)


_MAX_PORT = 65_535
_OBEYED = "containerd.io/"


def _asked(policy: Policy) -> bool:
    return policy.image is not None and bool(policy.image.ports_deny or policy.image.labels_deny)


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.CONFIG})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    del now
    wanted = policy.image or ImagePolicy()

    def ask(config: ImageConfig, digest: Digest) -> Iterable[Problem]:
        return (*_ports(config, wanted, digest), *_labels(config, wanted, digest))

    denied = [what for what, asked in (("port", wanted.ports_deny), ("label", wanted.labels_deny)) if asked]
    return Answer(
        message=f"asks for no denied {' or '.join(denied)}", problems=over_subjects(evidence, with_config(ask))
    )


def _ports(config: ImageConfig, wanted: ImagePolicy, digest: Digest) -> Iterator[Problem]:
    for text in config.exposed_ports if wanted.ports_deny else ():
        exposed = _PORTS.fullmatch(text)
        if exposed is not None and not _is_range(exposed):
            exposed = None
        if exposed is None or any(_covers(exposed, denied) for denied in wanted.ports_deny):
            yield Problem(
                code="IMG_PORT",
                message="a denied port is exposed" if exposed else "an exposed port cannot be compared",
                expected=f"none of {', '.join(wanted.ports_deny)}",
                seen=ascii(text[:80]),
                subject=digest,
                location=text,
            )


def _is_range(exposed: re.Match[str]) -> bool:
    """Say whether the numbers are ports in order: Docker refuses `65536` and `2222-22` (go-connections `nat`)."""
    return int(exposed[1]) <= int(exposed[2] or exposed[1]) <= _MAX_PORT


def _covers(exposed: re.Match[str], denied: str) -> bool:
    """Compare numbers and protocol; in an image a protocol that is not given is tcp, in a policy it is any."""
    first, last, protocol = int(exposed[1]), int(exposed[2] or exposed[1]), (exposed[3] or "tcp").lower()
    number, _, wanted = denied.partition("/")
    return first <= int(number) <= last and wanted in {"", protocol}


def _labels(config: ImageConfig, wanted: ImagePolicy, digest: Digest) -> Iterator[Problem]:
    for name in config.labels:
        if any(fnmatchcase(name, pattern) for pattern in wanted.labels_deny):
            yield Problem(
                # A label that a runtime obeys is a setting, not a remark.
                code="IMG_CONFIG" if name.startswith(_OBEYED) else "IMG_LABEL",
                message="a denied label is set",
                expected=f"no label {', '.join(wanted.labels_deny)}",
                seen=ascii(name[:80]),
                subject=digest,
                location=name,
            )


CHECK = Check(id="image-config", title="Denied ports and labels", asked=_asked, needs=_needs, judge=_judge)
