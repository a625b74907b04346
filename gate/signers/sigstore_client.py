"""The services of a Sigstore instance, asked for what a signature needs: a certificate, log entries, timestamps.

Every one that the signing configuration names must answer: a signature that lacks one of them would be refused later, when
it is too late to make another. Everything goes over the gate's own transport (deadline, caps, proxies, `--ca-file`).

Specification: formats reference, sections 8.6 and 9.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gate.codec.sigstore_api import (
    MAX_ANSWER_BYTES,
    parse_certificate_answer,
    parse_entry_v1,
    parse_entry_v2,
    render_certificate_request,
    render_entry_v1,
    render_entry_v2,
)
from gate.codec.strict_json import printable
from gate.errors import EvidenceError, RegistryError
from gate.registry.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric import ec

    from gate.clock import Deadline
    from gate.model.bundle import Envelope, LogEntry
    from gate.model.signing import IdentityToken, LogService, SigningServices
    from gate.registry.options import RegistryOptions

_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_QUERY: Final = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}


class SigstoreClient:
    """One instance, asked within one deadline."""

    def __init__(self, services: SigningServices, options: RegistryOptions, deadline: Deadline) -> None:
        self._services = services
        self._options = options
        self._deadline = deadline

    def certify(self, key: ec.EllipticCurvePrivateKey, token: IdentityToken) -> bytes:
        """Return a certificate (DER) of the token's identity for this key; raises EvidenceError `KEY_SIGSTORE`."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        body = render_certificate_request(builder.sign(key, hashes.SHA256()))
        answer = self._post(
            self._services.authority,
            "/api/v2/signingCert",
            body,
            doing="asking for a certificate",
            headers=_JSON,
            credentials={"Authorization": f"Bearer {token.text}"},
        )
        return parse_certificate_answer(answer)

    def log(self, envelope: Envelope, certificate: bytes) -> tuple[LogEntry, ...]:
        """Have every log keep the signature, and give its entries; raises EvidenceError `KEY_SIGSTORE`."""
        return tuple(self._entry(log, envelope, certificate) for log in self._services.logs)

    def _entry(self, log: LogService, envelope: Envelope, certificate: bytes) -> LogEntry:
        render, parse = (render_entry_v1, parse_entry_v1) if log.version == 1 else (render_entry_v2, parse_entry_v2)
        path = f"/api/v{log.version}/log/entries"
        return parse(self._post(log.url, path, render(envelope, certificate), doing="asking the log", headers=_JSON))

    def stamp(self, signature: bytes) -> tuple[bytes, ...]:
        """Return a timestamp over the signature by every authority; raises EvidenceError `KEY_SIGSTORE`."""
        if not self._services.timestamps:
            return ()
        # Loaded where timestamps are asked for alone.
        from rfc3161_client import TimestampRequestBuilder  # noqa: PLC0415

        # The nonce binds the answer to this question; certificates come along for readers that have only a root.
        request = TimestampRequestBuilder().data(signature).nonce(nonce=True).cert_request(cert_request=True).build()
        body = request.as_bytes()
        return tuple(
            _expect_nonce(self._post(url, "", body, doing="asking for a timestamp", headers=_QUERY), request.nonce)
            for url in self._services.timestamps
        )

    def _post(
        self,
        url: str,
        path: str,
        body: bytes,
        *,
        doing: str,
        headers: Mapping[str, str],
        credentials: Mapping[str, str] | None = None,
    ) -> bytes:
        try:
            with Service(url, self._options, self._deadline) as service:
                # May be tried again: a second certificate or timestamp harms nobody, and a log keeps one entry once.
                status, content = service.ask(
                    "POST",
                    path,
                    doing=doing,
                    limit_bytes=MAX_ANSWER_BYTES,
                    body=body,
                    headers=headers,
                    credentials=credentials,
                )
        except RegistryError as error:
            raise _fault(doing, str(error)) from error
        if status not in {200, 201}:
            raise _fault(doing, f"status {status} by {printable(url)}: {printable(content.decode(errors='replace'))}")
        return content


def _expect_nonce(answer: bytes, nonce: int | None) -> bytes:
    from rfc3161_client import decode_timestamp_response  # noqa: PLC0415

    try:
        response = decode_timestamp_response(answer)
        given = response.tst_info.nonce
    except ValueError as error:
        raise _fault("asking for a timestamp", "an answer that is no timestamp") from error
    if given != nonce:
        raise _fault("asking for a timestamp", "an answer to another question")
    return response.as_bytes()


def _fault(doing: str, seen: str) -> EvidenceError:
    return EvidenceError(f"nothing was signed: it failed while {doing}", code="KEY_SIGSTORE", seen=seen)
