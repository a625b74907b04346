"""`gate serve`: the admission webhook and verification service."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from gate.cli.commands import Command
from gate.cli.common import Common, common_options, registry_options, with_options
from gate.cli.environment import registry_options as registry_settings
from gate.cli.types import DURATION, PLACE
from gate.errors import UsageError
from gate.pipeline.verify_options import VerifyOptions

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_DEADLINE = timedelta(seconds=4)

service_options = with_options(
    click.option(
        "--requirement",
        "requirements",
        type=PLACE,
        multiple=True,
        required=True,
        envvar="GATE_REQUIREMENT",
        help="What is demanded (repeatable: every document that matches must be met). Read again when it changes.",
    ),
    click.option(
        "--listen",
        default="127.0.0.1:8443",
        envvar="GATE_LISTEN",
        help="Address and port. Anything but this machine's own needs a certificate.  [default: 127.0.0.1:8443]",
    ),
    click.option("--tls-cert", type=PLACE, envvar="GATE_TLS_CERT", help="The service's certificate, with its chain."),
    click.option("--tls-key", type=PLACE, envvar="GATE_TLS_KEY", help="The certificate's private key."),
    click.option(
        "--client-ca",
        type=PLACE,
        envvar="GATE_CLIENT_CA",
        help="Demand a client's certificate by this authority: the API server's.",
    ),
    click.option(
        "--deadline",
        type=DURATION,
        envvar="GATE_DEADLINE",
        help="When an answer is given at the latest; less than the webhook's timeoutSeconds.  [default: 4s]",
    ),
)


@click.command(cls=Command)
@service_options
@registry_options
@common_options
def serve(
    common: Common,
    *,
    requirements: tuple[Path, ...],
    listen: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    client_ca: Path | None,
    deadline: timedelta | None,
    authfile: Path | None,
    plain_http: bool,
    ca_file: Path | None,
) -> None:
    """Answer a cluster's admission requests from attestations, failing closed.

    POST /validate takes an AdmissionReview, POST /v1/verify {"images": [...]}; GET /healthz, /readyz, /metrics.

    \b
    gate serve --requirement requirement.yaml --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key
    """  # noqa: D301  click reads \b
    host, port = _address(listen)
    if (tls_cert is None) != (tls_key is None):
        raise UsageError(
            "a certificate and its key belong together", expected="--tls-cert with --tls-key", seen="one of them"
        )
    if tls_cert is None and host not in _LOOPBACK:
        raise UsageError("a service that others reach needs TLS", expected="--tls-cert and --tls-key", seen=listen[:80])
    try:
        from gate.webhook.server import ServeOptions  # noqa: PLC0415 - an extra, which no other command needs
        from gate.webhook.server import serve as run  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UsageError(
            "the service's libraries are not installed",
            expected="the extra `serve` (uvicorn, httptools)",
            seen=str(error.name),
        ) from error
    registry = registry_settings(authfile=authfile, plain_http=plain_http, ca_file=ca_file, offline=common.offline)
    options = ServeOptions(
        requirements=requirements,
        host=host,
        port=port,
        verify=VerifyOptions(places=common.places(), registry=registry, offline=common.offline),
        deadline=deadline or _DEADLINE,
        certificate=tls_cert,
        private_key=tls_key,
        client_ca=client_ca,
    )
    common.say(f"listening on {host}:{port}")
    run(options)


def _address(text: str) -> tuple[str, int]:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536 or not host:
        raise UsageError("not an address to listen on", expected="HOST:PORT", seen=ascii(text[:80]))
    return host.strip("[]"), int(port)
