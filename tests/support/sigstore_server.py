"""A Sigstore on loopback: each service of `VirtualSigstore` behind HTTP, so that real clients sign and verify against it.

`run_sigstore()` starts a certificate authority (Fulcio API v2), logs (Rekor v1 and v2), a timestamp authority and an
OIDC issuer, each at an address of its own, over plain HTTP or TLS. It gives what a client is configured with: trusted root,
signing configuration, client trust configuration; and counts what was asked of it.

The services hand out an attacker's keys where the real ones hand out their own: a client that asks is found out (T04).
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import sigstore_services as services
from tests.support.certificates import ServerCertificate, write_server_certificate
from tests.support.sigstore_services import RefusedRequestError, VirtualOidc
from tests.support.virtual_certificates import rfc3339
from tests.support.virtual_log import JsonObject
from tests.support.virtual_sigstore import START, VirtualSigstore

SIGNING_CONFIG: Final = "application/vnd.dev.sigstore.signingconfig.v0.2+json"
CLIENT_CONFIG: Final = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
# What GitHub hands a job that may ask for identity tokens.
REQUEST_TOKEN: Final = "a request token"
_SERVICES: Final = ("fulcio", "rekor1", "rekor2", "tsa", "oidc")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer."""

    body: bytes
    status: int = 200
    media_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request, as a test looks at it."""

    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(kw_only=True)
class SigstoreServer:
    """A running Sigstore; `replies` overrides what a service answers (a service that is down, or lies)."""

    sigstore: VirtualSigstore
    oidc: VirtualOidc
    urls: Mapping[str, str]
    authority: Path | None = None
    asked: list[Asked] = field(default_factory=list)
    replies: dict[str, Callable[[Asked], Reply]] = field(default_factory=dict)

    def trusted_root(self, **changes: Any) -> bytes:  # noqa: ANN401 - any list of the format
        """Return the trusted root; the keys are those of `VirtualSigstore`, whatever the addresses are."""
        return self.sigstore.trusted_root(**changes)

    def signing_config_fields(self, *, log: int = 1, timestamps: bool = True) -> JsonObject:
        """Return the signing configuration with the log of this version."""
        rekor = self.urls[f"rekor{log}"]
        return {
            "mediaType": SIGNING_CONFIG,
            "caUrls": [_service(self.urls["fulcio"], 1)],
            "oidcUrls": [_service(self.urls["oidc"], 1)],
            "rekorTlogUrls": [_service(rekor, log)],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaUrls": [_service(self.urls["tsa"] + "/api/v1/timestamp", 1)] if timestamps else [],
            **({"tsaConfig": {"selector": "ANY"}} if timestamps else {}),
        }

    def signing_config(self, *, log: int = 1, timestamps: bool = True) -> bytes:
        """Return the signing configuration as a file's bytes."""
        return json.dumps(self.signing_config_fields(log=log, timestamps=timestamps)).encode()

    def client_config(self, *, log: int = 1) -> bytes:
        """Return trusted root and signing configuration in one file."""
        fields = {
            "mediaType": CLIENT_CONFIG,
            "trustedRoot": json.loads(self.trusted_root()),
            "signingConfig": self.signing_config_fields(log=log),
        }
        return json.dumps(fields).encode()

    def answer(self, asked: Asked) -> Reply:
        """Answer a request as the service does, or as the test told it to."""
        self.asked.append(asked)
        try:
            if asked.service in self.replies:
                return self.replies[asked.service](asked)
            return self._answer(asked)
        except RefusedRequestError as error:
            return Reply(body=json.dumps({"code": 3, "message": str(error)}).encode(), status=error.status)

    def _answer(self, asked: Asked) -> Reply:
        path = urlsplit(asked.path).path
        match asked.service, asked.method, path:
            case "fulcio", "POST", "/api/v2/signingCert":
                return _json({"signedCertificateEmbeddedSct": {"chain": {"certificates": self._certificates(asked)}}})
            case "rekor1", "POST", "/api/v1/log/entries":
                return _named(services.log_entry_v1(self.sigstore.rekor1, json.loads(asked.body)))
            case "rekor2", "POST", "/api/v2/log/entries":
                return _json(services.log_entry_v2(self.sigstore.rekor2, json.loads(asked.body)), 201)
            case "tsa", "POST", "/api/v1/timestamp":
                token = services.timestamp(self.sigstore.tsa, asked.body)
                return Reply(body=token, status=201, media_type="application/timestamp-reply")
            case "oidc", _, _:
                return self._issue(asked, path)
            case _:
                # Keys and roots of the services: an attacker's, for nobody may take them from there.
                return Reply(body=services.attacker_key(), status=200 if asked.method == "GET" else 404)

    def _certificates(self, asked: Asked) -> list[str]:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        return services.signing_certificate(self.sigstore, self.oidc, token, json.loads(asked.body))

    def _issue(self, asked: Asked, path: str) -> Reply:
        """Answer as an OIDC issuer, and as GitHub's service of tokens for jobs."""
        match path:
            case "/.well-known/openid-configuration":
                return _json(self.oidc.discovery())
            case "/keys":
                return _json(self.oidc.keys())
            case "/token":
                return _json({"id_token": self.oidc.token(), "token_type": "Bearer", "expires_in": 600})
            case "/github":
                if asked.headers.get("authorization", "").lower() != f"bearer {REQUEST_TOKEN}":
                    raise RefusedRequestError("no such job", 401)
                audience = parse_qs(urlsplit(asked.path).query).get("audience", [""])[0]
                return _json({"value": self.oidc.token(aud=audience)})
            case _:
                raise RefusedRequestError("nothing here", 404)


def _service(url: str, version: int) -> JsonObject:
    return {
        "url": url,
        "majorApiVersion": version,
        "validFor": {"start": rfc3339(START)},
        "operator": "virtual.example",
    }


def _named(entries: JsonObject) -> Reply:
    """Return a new entry as Rekor v1 does; Cosign looks it up by the ETag."""
    name = next(iter(entries))
    headers = {"ETag": name, "Location": f"/api/v1/log/entries/{name}"}
    return Reply(body=json.dumps(entries).encode(), status=201, headers=headers)


def _json(value: object, status: int = 200) -> Reply:
    return Reply(body=json.dumps(value).encode(), status=status)


@contextlib.contextmanager
def run_sigstore(sigstore: VirtualSigstore | None = None, *, tls: Path | None = None) -> Iterator[SigstoreServer]:
    """Run all services; `tls` is a folder for the certificate with which they then speak HTTPS."""
    certificate = write_server_certificate(tls) if tls is not None else None
    running: list[SigstoreServer] = []
    with contextlib.ExitStack() as stack:
        urls = {name: stack.enter_context(_serve(name, running, certificate)) for name in _SERVICES}
        key = ec.derive_private_key(77, ec.SECP256R1())
        server = SigstoreServer(
            sigstore=sigstore or VirtualSigstore(),
            oidc=VirtualOidc(url=urls["oidc"], key=key),
            urls=urls,
            authority=certificate.authority if certificate is not None else None,
        )
        running.append(server)
        yield server


@contextlib.contextmanager
def _serve(name: str, running: list[SigstoreServer], certificate: ServerCertificate | None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {key.lower(): value for key, value in self.headers.items()}
            asked = Asked(service=name, method=self.command, path=self.path, headers=headers, body=body)
            reply = running[0].answer(asked)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(reply.body)))
            for header, value in reply.headers.items():
                self.send_header(header, value)
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(reply.body)

        do_GET = do_POST = answer  # noqa: N815  as http.server asks for them

        def log_message(self, *_arguments: object) -> None:
            """Keep standard error quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"{'https' if certificate is not None else 'http'}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
