"""A Sigstore instance as signers know it: whom to trust, whom to ask; and the proof that both fit together.

What a service gives is verified under the instance's own root before it leaves this process, by the steps that verify
everybody's signatures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from gate.codec.bundle import parse_bundle
from gate.codec.signing_config import parse_signing_config
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError, KeyFileError, RefusedError
from gate.verification.signature import verify_statement

if TYPE_CHECKING:
    from datetime import datetime

    from gate.clock import Clock
    from gate.model.evidence_demand import EvidenceDemand
    from gate.model.policy_signers import Signer
    from gate.model.signing import SigningServices
    from gate.model.trust import TrustedRoot
    from gate.registry.options import RegistryOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SigstoreFiles:
    """The bytes that say whom to trust and whom to ask: `trusted_root.json` and `signing_config.json`."""

    root: bytes
    signing: bytes | None


FindInstance: TypeAlias = Callable[[str], SigstoreFiles]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigstoreAccess:
    """How this process reaches Sigstore: `find` gives an instance by its name, `token` is SIGSTORE_ID_TOKEN or empty."""

    find: FindInstance
    options: RegistryOptions
    clock: Clock
    token: str = field(default="", repr=False)


def read_instance(instance: SigstoreFiles, now: datetime) -> tuple[TrustedRoot, SigningServices]:
    """Return whom to trust, and whom to ask at this moment.

    Raises:
        UsageError: `ROOT_MALFORMED`; KeyFileError: `KEY_URI` for an instance that cannot sign.
    """
    if instance.signing is None:
        raise KeyFileError(
            "this Sigstore instance has no signing configuration",
            code="KEY_URI",
            expected="`gate trust import NAME FILE --signing-config FILE`",
        )
    return parse_trusted_root(instance.root), parse_signing_config(instance.signing, now)


def require_verified(bundle: bytes, signer: Signer, demand: EvidenceDemand, now: datetime) -> None:
    """Refuse what a service gave if a verifier would: nothing that does not verify leaves this process.

    Raises:
        EvidenceError: `KEY_SIGSTORE`.
    """
    try:
        verify_statement(parse_bundle(bundle), signer=signer, now=now, demand=demand)
    except (RefusedError, EvidenceError) as error:
        raise EvidenceError(
            "the Sigstore instance gave something that its trusted root does not cover",
            code="KEY_SIGSTORE",
            expected="a signature that verifies",
            seen=f"{error.code}: {error}",
            next_step="Update the trusted root of the instance: `gate trust update`, `gate trust show`.",
        ) from error
