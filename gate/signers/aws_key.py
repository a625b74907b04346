"""A key in AWS KMS: `awskms://[HOST]/ID`, where ID is a key id, `alias/NAME` or an ARN of either.

Credentials, region, proxies and endpoints are those of the AWS SDK (`AWS_PROFILE`, `AWS_REGION`, `AWS_ENDPOINT_URL_KMS`,
roles). An ARN brings its region along. The key must be for SIGN_VERIFY; a session needs `kms:GetPublicKey` and `kms:Sign`.

Specification: AWS KMS API, `GetPublicKey` and `Sign` (`MessageType=DIGEST`); sigstore `pkg/signature/kms/aws/client.go`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization

from gate.model.signer import KeyAlgorithm
from gate.signers.service_key import (
    CONNECT_SECONDS,
    READ_SECONDS,
    ServiceSigner,
    SignRequest,
    malformed_uri,
    require_extra,
    service_fault,
    unsupported_key,
)

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.literals import SigningAlgorithmSpecType

_HOST: Final = r"[A-Za-z0-9.-]+(?::[0-9]{1,5})?"
_ID: Final = r"(?:mrk-[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|alias/[A-Za-z0-9/_-]{1,250})"
_ARN: Final = r"arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:(?:key/)?" + _ID
_URI: Final = re.compile(f"awskms://(?P<host>{_HOST})?/(?P<id>{_ID}|{_ARN})")
_ALGORITHMS: Final[Mapping[KeyAlgorithm, SigningAlgorithmSpecType]] = {
    KeyAlgorithm.ECDSA_P256: "ECDSA_SHA_256",
    KeyAlgorithm.ECDSA_P384: "ECDSA_SHA_384",
    KeyAlgorithm.ECDSA_P521: "ECDSA_SHA_512",
    KeyAlgorithm.RSA_PKCS1: "RSASSA_PKCS1_V1_5_SHA_256",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsKeyName:
    """What an `awskms:` URI names: host of the endpoint and region are "" where the SDK's own settings decide."""

    host: str
    region: str
    key_id: str


def parse_aws_uri(uri: str) -> AwsKeyName:
    """Read an `awskms:` URI; raises KeyFileError `KEY_URI`."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise malformed_uri("awskms", "awskms:///KEY-ID, awskms:///alias/NAME or awskms:///ARN", uri)
    return AwsKeyName(host=match["host"] or "", region=match[3] or "", key_id=match["id"])


def open_aws_key(uri: str) -> ServiceSigner:
    """Return the signer for an `awskms:` URI.

    Raises:
        KeyFileError: `KEY_URI`, `KEY_UNSUPPORTED`, `KEY_WEAK`.
        EvidenceError: `KEY_SERVICE`.
    """
    name = parse_aws_uri(uri)
    require_extra("boto3", "aws", "awskms")
    return ServiceSigner(AwsKey(name))


class AwsKey:
    """One key in AWS KMS."""

    __slots__ = ("_client", "_name")

    def __init__(self, name: AwsKeyName) -> None:
        self._name = name
        self._client = _client(name)

    @property
    def place(self) -> str:
        """Name the service."""
        return "AWS KMS"

    def public_key_pem(self) -> bytes:
        """Fetch the public key."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

        try:
            der = self._client.get_public_key(KeyId=self._name.key_id)["PublicKey"]
            key = serialization.load_der_public_key(der)
        except ClientError as error:
            raise service_fault(self.place, str(error.response.get("Error", {}).get("Code", ""))) from error
        except (BotoCoreError, ValueError) as error:
            raise service_fault(self.place, type(error).__name__) from error
        return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(self, request: SignRequest) -> bytes:
        """Have the digest signed."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - an extra

        algorithm = _ALGORITHMS.get(request.algorithm)
        if algorithm is None:
            raise unsupported_key(self.place, request.algorithm, "ECDSA or RSA")
        try:
            answer = self._client.sign(
                KeyId=self._name.key_id, Message=request.digest, MessageType="DIGEST", SigningAlgorithm=algorithm
            )
        except ClientError as error:
            raise service_fault(self.place, str(error.response.get("Error", {}).get("Code", ""))) from error
        except BotoCoreError as error:
            raise service_fault(self.place, type(error).__name__) from error
        return answer["Signature"]


def _client(name: AwsKeyName) -> KMSClient:
    import boto3  # noqa: PLC0415 - an extra, and slow to load
    from botocore.config import Config  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    settings = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )
    try:
        return boto3.client(
            "kms",
            region_name=name.region or None,
            endpoint_url=f"https://{name.host}" if name.host else None,
            config=settings,
        )
    except (BotoCoreError, ValueError) as error:  # no region, a profile that is not there
        raise service_fault("AWS KMS", type(error).__name__) from error
