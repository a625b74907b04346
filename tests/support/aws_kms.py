"""AWS KMS on loopback, as moto serves it.

moto 5 hashes what it is told is a digest already; here it takes `MessageType=DIGEST` as AWS documents it. `unmended=True`
leaves that as it is: a service that signs something else than it was asked to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey
from moto.server import ThreadedMotoServer

from tests.support.key_services import sign_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsKms:
    """A running moto, with its client for making keys."""

    url: str
    client: Any

    def make(self, spec: str, alias: str) -> str:
        """Make a signing key and give its ARN."""
        made = self.client.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]
        self.client.create_alias(AliasName=f"alias/{alias}", TargetKeyId=made["KeyId"])
        return str(made["Arn"])


@contextmanager
def aws_kms(*, unmended: bool = False) -> Iterator[AwsKms]:
    """Run moto's KMS; credentials and region come from the caller's environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=10)  # keys are kept for the whole process
    try:
        with pytest.MonkeyPatch.context() as patch:
            for kind in () if unmended else (ECDSAPrivateKey, RSAPrivateKey):
                patch.setattr(kind, "sign", _sign_the_digest)
            yield AwsKms(url=f"http://{host}:{port}", client=boto3.client("kms", endpoint_url=f"http://{host}:{port}"))
    finally:
        server.stop()


def _sign_the_digest(self: ECDSAPrivateKey | RSAPrivateKey, message: bytes, _signing_algorithm: str) -> bytes:
    key = self.private_key
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
    return sign_digest(key, message)
