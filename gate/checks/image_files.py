"""`image-files`: no file of the final file system gives rights that the policy does not list.

Setuid and setgid bits, setgid directories, file capabilities and device nodes (CIS Docker 4.8; `checks` reference, section
6.2), over the merged view.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from gate.checks._per_subject import over_subjects, with_layers
from gate.model.check import Answer, Check
from gate.model.evidence import EvidenceKind
from gate.model.verdict import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from gate.model.digest import Digest
    from gate.model.evidence import EvidenceSet, LayerFacts
    from gate.model.layer_facts import PrivilegedFile
    from gate.model.policy import Policy


def _asked(policy: Policy) -> bool:
    return policy.image is not None and policy.image.setuid_allow is not None


def _needs(policy: Policy) -> frozenset[EvidenceKind]:
    del policy
    return frozenset({EvidenceKind.LAYERS})


def _judge(evidence: EvidenceSet, policy: Policy, now: datetime) -> Answer:
    del now
    allowed = (policy.image.setuid_allow if policy.image is not None else None) or ()

    def ask(layers: LayerFacts, digest: Digest) -> Iterator[Problem]:
        return (_problem(file, digest) for file in layers.privileged_files if not _is_allowed(file, allowed))

    return Answer(message="only listed files give rights", problems=over_subjects(evidence, with_layers(ask)))


def _is_allowed(file: PrivilegedFile, allowed: tuple[str, ...]) -> bool:
    return any(
        fnmatchcase(f"/{file.path}", pattern) and f"/{file.path}".count("/") == pattern.count("/")
        for pattern in allowed
    )


def _problem(file: PrivilegedFile, digest: Digest) -> Problem:
    rights = file.device or ("file capabilities" if file.capabilities else f"mode {file.mode:04o}")
    step = "Remove the device from the layer that brings it, or add the path to `spec.image.setuid.allow`."
    what = "device" if file.device else "directory" if file.is_directory else "file"
    return Problem(
        code="IMG_SETUID",
        message=f"a {what} gives rights that are not listed",
        expected="a path of spec.image.setuid.allow",
        seen=f"/{ascii(file.path)[1:-1]} ({rights})",
        subject=digest,
        location=f"/{file.path}",
        next_step=step if file.device else "",
    )


CHECK = Check(id="image-files", title="Files that give rights", asked=_asked, needs=_needs, judge=_judge)
