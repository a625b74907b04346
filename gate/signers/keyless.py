"""A signer by identity: a key that lives as long as this object, certified by a Sigstore instance for who runs it.

What is signed is logged and stamped as the instance's signing configuration says, and the whole is then verified under the
instance's trusted root, by the steps that verify everybody's signatures: what this signer gives away, `gate verify` accepts.

Specification: formats reference, sections 9.2 and 12.2.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gate.clock import Deadline
from gate.codec.bundle_evidence import render_evidenced_bundle
from gate.codec.strict_json import printable
from gate.errors import KeyFileError
from gate.model.evidence_demand import EvidenceDemand, Inclusion
from gate.model.identity import Identity, Matcher
from gate.model.policy_signers import KeylessSigner
from gate.model.signing import SigningEvidence
from gate.model.trust import PUBLIC, Trust
from gate.signers.file_key import FileSigner
from gate.signers.instance import SigstoreAccess, SigstoreFiles, read_instance, require_verified
from gate.signers.sigstore_client import SigstoreClient
from gate.signers.tokens import TokenSource

if TYPE_CHECKING:
    from gate.model.bundle import Envelope
    from gate.model.signer import PublicKey
    from gate.model.signing import IdentityToken

SCHEME: Final = "sigstore"
# For a certificate, logs and timestamps together.
_TIME: Final = timedelta(minutes=1)
# Fulcio certifies for ten minutes; one that is about to end is not used for another signature.
_MARGIN: Final = timedelta(minutes=1)
_ANYBODY: Final = Identity(subject=Matcher(text=".+", is_pattern=True), issuer=Matcher(text=".+", is_pattern=True))


class SigstoreSigner:
    """An identity that signs statements; made new for every run, and its key is never written down."""

    def __init__(self, instance: SigstoreFiles, tokens: TokenSource, access: SigstoreAccess) -> None:
        """Read the instance's files, and see that there is a token.

        Raises:
            UsageError: `ROOT_MALFORMED`; KeyFileError: `KEY_TOKEN`, or `KEY_URI` for an instance that cannot sign.
        """
        now = access.clock.now()
        self._root, self._services = read_instance(instance, now)
        self._access = access
        self._tokens = tokens
        self._token: IdentityToken = tokens.obtain(now)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = b""
        self._ends = now

    @property
    def public_key(self) -> PublicKey:
        """Return the public half of the key that lives as long as this object."""
        return FileSigner(self._key).public_key

    @property
    def name(self) -> str:
        """Return whom the token names, the same for every run of one identity: never more than a hint."""
        return f"{self._token.name} by {printable(self._token.issuer)}"

    @property
    def is_identity(self) -> bool:
        """Say that a certificate says who signed."""
        return True

    @property
    def is_stamped(self) -> bool:
        """Say whether the instance has timestamp authorities."""
        return bool(self._services.timestamps)

    def sign(self, data: bytes) -> bytes:
        """Sign with ECDSA P-256 and SHA-256."""
        return FileSigner(self._key).sign(data)

    def vouch(self, envelope: Envelope) -> SigningEvidence:
        """Have the envelope's signature certified, stamped and logged, and verify the whole.

        Raises:
            EvidenceError: `KEY_SIGSTORE`; KeyFileError: `KEY_TOKEN`.
        """
        client = SigstoreClient(self._services, self._access.options, Deadline.after(_TIME, self._access.clock))
        certificate = self._certified(client)
        evidence = SigningEvidence(
            certificate=certificate,
            timestamps=client.stamp(envelope.signature),
            entries=client.log(envelope, certificate),
        )
        demand = EvidenceDemand(
            logs=min(1, len(self._services.logs)),
            timestamps=min(1, len(self._services.timestamps)),
            sct=bool(self._root.certificate_logs),
            inclusion=Inclusion.PROOF,
        )
        signer = KeylessSigner(identity=_ANYBODY, trust=Trust(name="instance", root=self._root, demand=demand))
        require_verified(
            render_evidenced_bundle(envelope, evidence, self.public_key), signer, demand, self._access.clock.now()
        )
        return evidence

    def _certified(self, client: SigstoreClient) -> bytes:
        now = self._access.clock.now()
        if now + _MARGIN >= self._ends:
            # Scanning may outlast a token: ask for a new one.
            self._token = self._tokens.obtain(now)
            self._certificate = client.certify(self._key, self._token)
            self._ends = x509.load_der_x509_certificate(self._certificate).not_valid_after_utc
        return self._certificate

    def __repr__(self) -> str:
        return f"SigstoreSigner({self.name})"


def open_sigstore(uri: str, access: SigstoreAccess) -> SigstoreSigner:
    """Return the signer of `sigstore:[NAME][?token-file=PATH][&audience=TEXT]`; NAME is that of a trusted root (`public`).

    Raises:
        KeyFileError: `KEY_URI`, `KEY_TOKEN`; as `SigstoreSigner` and `access.find`.
    """
    name, _, query = uri.removeprefix(f"{SCHEME}:").partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=4)
    except ValueError as error:
        raise _malformed("NAME?token-file=PATH", query) from error
    given = dict(pairs)
    if len(given) != len(pairs) or not given.keys() <= {"audience", "token-file"} or not all(given.values()):
        raise _malformed("token-file and audience, once each", ", ".join(name for name, _ in pairs))
    file = given.get("token-file")
    tokens = TokenSource(
        file=Path(file) if file is not None else None,
        text=access.token,
        **({"audience": given["audience"]} if "audience" in given else {}),
    )
    if access.options.offline:
        raise KeyFileError(
            "signing by identity needs a network", code="KEY_URI", expected="a key with --offline", seen=f"{SCHEME}:"
        )
    return SigstoreSigner(access.find(name or PUBLIC), tokens, access)


def _malformed(expected: str, seen: str) -> KeyFileError:
    return KeyFileError(
        f"the {SCHEME}: key URI cannot be read", code="KEY_URI", expected=expected, seen=printable(seen, 100)
    )
