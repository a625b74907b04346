"""A signer by identity: a key that lives as long as this object, certified by a Sigstore instance for who runs it.

What is signed is logged and stamped as the instance's signing configuration says, and the whole is then verified under the
instance's trusted root, by the steps that verify everybody's signatures: what this signer gives away, `gate verify` accepts.

Specification: formats reference, sections 9.2 and 12.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from gate.codec.bundle import parse_bundle
from gate.codec.bundle_evidence import render_certificate_bundle
from gate.codec.signing_config import parse_signing_config
from gate.codec.strict_json import printable
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError, KeyFileError, RefusedError
from gate.model.identity import Identity, Matcher
from gate.model.policy import KeylessSigner
from gate.model.signing import SigningEvidence
from gate.model.trust import PUBLIC, EvidenceDemand, Trust
from gate.registry.deadline import Deadline
from gate.signers.file_key import FileSigner
from gate.signers.sigstore_client import SigstoreClient
from gate.signers.tokens import TokenSource
from gate.verification.signature import verify_statement

if TYPE_CHECKING:
    from gate.model.bundle import Envelope
    from gate.model.signer import PublicKey
    from gate.model.signing import IdentityToken, SigningServices
    from gate.model.trust import TrustedRoot
    from gate.registry.deadline import Clock
    from gate.registry.options import RegistryOptions

SCHEME: Final = "sigstore"
# For a certificate, logs and timestamps together.
_TIME: Final = timedelta(minutes=1)
# Fulcio certifies for ten minutes; one that is about to end is not used for another signature.
_MARGIN: Final = timedelta(minutes=1)
_ANYBODY: Final = Identity(subject=Matcher(text=".+", is_pattern=True), issuer=Matcher(text=".+", is_pattern=True))


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


class SigstoreSigner:
    """An identity that signs statements; made new for every run, and its key is never written down."""

    def __init__(self, instance: SigstoreFiles, tokens: TokenSource, access: SigstoreAccess) -> None:
        """Read the instance's files, and see that there is a token.

        Raises:
            UsageError: `ROOT_MALFORMED`; KeyFileError: `KEY_TOKEN`, or `KEY_URI` for an instance that cannot sign.
        """
        if instance.signing is None:
            raise KeyFileError(
                "this Sigstore instance has no signing configuration",
                code="KEY_URI",
                expected="`gate trust import NAME FILE --signing-config FILE`",
            )
        now = access.clock.now()
        self._root: TrustedRoot = parse_trusted_root(instance.root)
        self._services: SigningServices = parse_signing_config(instance.signing, now)
        self._access = access
        self._tokens = tokens
        self._token: IdentityToken = tokens.obtain(now)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = b""
        self._ends = now

    @property
    def public_key(self) -> PublicKey:
        """Give the public half of the key that lives as long as this object."""
        return FileSigner(self._key).public_key

    @property
    def name(self) -> str:
        """Give whom the token names, the same for every run of one identity: never more than a hint."""
        return f"{self._token.name} by {printable(self._token.issuer)}"

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
        self._expect_verified(envelope, evidence)
        return evidence

    def _certified(self, client: SigstoreClient) -> bytes:
        now = self._access.clock.now()
        if now + _MARGIN >= self._ends:
            # Scanning may outlast a token: ask for a new one.
            self._token = self._tokens.obtain(now)
            self._certificate = client.certify(self._key, self._token)
            self._ends = x509.load_der_x509_certificate(self._certificate).not_valid_after_utc
        return self._certificate

    def _expect_verified(self, envelope: Envelope, evidence: SigningEvidence) -> None:
        """Refuse what a service gave if a verifier would: nothing that does not verify leaves this process."""
        demand = EvidenceDemand(
            logs=min(1, len(self._services.logs)),
            timestamps=min(1, len(self._services.timestamps)),
            sct=bool(self._root.certificate_logs),
            inclusion=True,
        )
        signer = KeylessSigner(identity=_ANYBODY, trust=Trust(name="instance", root=self._root, demand=demand))
        bundle = render_certificate_bundle(envelope, evidence)
        try:
            verify_statement(parse_bundle(bundle), signer=signer, now=self._access.clock.now(), demand=demand)
        except (RefusedError, EvidenceError) as error:
            raise EvidenceError(
                "the Sigstore instance gave something that its trusted root does not cover",
                code="KEY_SIGSTORE",
                expected="a signature that verifies",
                seen=f"{error.code}: {error}",
                next_step="Update the trusted root of the instance: `gate trust update`, `gate trust show`.",
            ) from error

    def __repr__(self) -> str:
        return f"SigstoreSigner({self.name})"


def open_sigstore(uri: str, access: SigstoreAccess) -> SigstoreSigner:
    """Give the signer of `sigstore:[NAME][?token-file=PATH][&audience=TEXT]`; NAME is that of a trusted root (`public`).

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
