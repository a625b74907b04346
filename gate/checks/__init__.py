"""The checks: one rule a file, pure. `CHECKS` lists every check of this release, sorted by id.

A check's id is its file's name with dashes; a house test holds checks, tests, fixtures and pages against each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.checks import (
    attestation,
    base_image,
    coverage,
    image_age,
    image_config,
    image_files,
    image_user,
    malware,
    provenance,
    reference,
    revision,
    rules,
    secret,
    signature,
    vulnerability,
)

if TYPE_CHECKING:
    from gate.model.check import Check

CHECKS: Final[tuple[Check, ...]] = (
    attestation.CHECK,
    base_image.CHECK,
    coverage.CHECK,
    image_age.CHECK,
    image_config.CHECK,
    image_files.CHECK,
    image_user.CHECK,
    malware.CHECK,
    provenance.CHECK,
    reference.CHECK,
    revision.CHECK,
    rules.CHECK,
    secret.CHECK,
    signature.CHECK,
    vulnerability.CHECK,
)
