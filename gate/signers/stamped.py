"""A key whose signatures are stamped: authorities of a Sigstore instance vouch for when, the key alone for who.

A policy or stage that demands a trusted time (`requireTimestamp`) can be met by keys in this way. Each timestamp is verified
under the instance's trusted root before it leaves.

Specification: RFC 3161; formats reference, sections 8.6 and 12.2.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from gate.clock import Deadline
from gate.codec.bundle_evidence import render_evidenced_bundle
from gate.errors import KeyFileError
from gate.model.evidence_demand import EvidenceDemand
from gate.model.policy_signers import KeySigner
from gate.model.signing import SigningEvidence
from gate.model.trust import Trust
from gate.signers.instance import SigstoreAccess, SigstoreFiles, read_instance, require_verified
from gate.signers.sigstore_client import SigstoreClient

if TYPE_CHECKING:
    from gate.model.bundle import Envelope
    from gate.model.signer import PublicKey
    from gate.signers.signer import Signer

_TIME: Final = timedelta(seconds=30)
_DEMAND: Final = EvidenceDemand(timestamps=1, sct=False)


class StampedSigner:
    """A signer by key, and where its signatures are stamped."""

    def __init__(self, signer: Signer, instance: SigstoreFiles, access: SigstoreAccess) -> None:
        """Read the instance's files.

        Raises:
            UsageError: `ROOT_MALFORMED`; KeyFileError: `KEY_URI` for an instance that stamps nothing.
        """
        self._root, self._services = read_instance(instance, access.clock.now())
        if not self._services.timestamps:
            raise KeyFileError(
                "this Sigstore instance has no timestamp authority",
                code="KEY_URI",
                expected="`tsaUrls` in its signing configuration",
            )
        self._signer = signer
        self._access = access

    @property
    def public_key(self) -> PublicKey:
        """Return the public half."""
        return self._signer.public_key

    @property
    def name(self) -> str:
        """Return the key's id: a verdict with a timestamp is not given again for one without."""
        return f"{self.public_key.key_id} stamped"

    @property
    def is_identity(self) -> bool:
        """Say that the key alone says who signed."""
        return False

    @property
    def is_stamped(self) -> bool:
        """Say that authorities say when."""
        return True

    def sign(self, data: bytes) -> bytes:
        """Sign as the key does."""
        return self._signer.sign(data)

    def vouch(self, envelope: Envelope) -> SigningEvidence:
        """Have the envelope's signature stamped by every authority; raises EvidenceError `KEY_SIGSTORE`."""
        client = SigstoreClient(self._services, self._access.options, Deadline.after(_TIME, self._access.clock))
        evidence = SigningEvidence(timestamps=client.stamp(envelope.signature))
        signer = KeySigner(key=self.public_key, trust=Trust(name="instance", root=self._root, demand=_DEMAND))
        bundle = render_evidenced_bundle(envelope, evidence, self.public_key)
        require_verified(bundle, signer, _DEMAND, self._access.clock.now())
        return evidence

    def __repr__(self) -> str:
        return f"StampedSigner({self.name})"
