"""`gate sign` and `gate keys public` with keys in services, as the command is used; Cosign verifies what they signed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gate.model.reference import Repository
from tests.conftest import StartOlareg
from tests.support.aws_kms import aws_kms
from tests.support.command import run_gate
from tests.support.cosign import Cosign
from tests.support.key_services import (
    GCP_KEY,
    TOKEN,
    VAULT_KEY,
    EmulatedService,
    emulated,
    gcp_answer,
    vault_answer,
)
from tests.support.programs import Tools
from tools.images.archive import file
from tools.images.layout import ImageConfig, image, layer, write_layout
from tools.images.push import push_layout

pytestmark = pytest.mark.real_tools

KEY = ec.derive_private_key(7, ec.SECP256R1())
AWS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret-of-the-test", "AWS_DEFAULT_REGION": "eu-west-1"}


def key(uri: str) -> dict[str, str]:
    """Return the variables that name a key for `gate sign` and for `gate keys public`."""
    return {"GATE_SIGN_KEY": uri, "GATE_KEY": uri}


@contextmanager
def aws(_folder: Path) -> Iterator[dict[str, str]]:
    with pytest.MonkeyPatch.context() as patch:
        for name, text in AWS.items():
            patch.setenv(name, text)
        with aws_kms() as running:
            running.make("ECC_NIST_P256", "release")
            yield {**AWS, "AWS_ENDPOINT_URL_KMS": running.url, **key("awskms:///alias/release")}


@contextmanager
def vault(_folder: Path) -> Iterator[dict[str, str]]:
    with emulated(EmulatedService(key=KEY), vault_answer) as service:
        yield {"VAULT_ADDR": service.url, "VAULT_TOKEN": TOKEN, **key(f"hashivault://{VAULT_KEY}")}


@contextmanager
def gcp(folder: Path) -> Iterator[dict[str, str]]:
    with emulated(EmulatedService(key=KEY), gcp_answer) as service:
        private = rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "client_email": "gate@shop.example",
            "private_key": private.decode(),
            "token_uri": f"{service.url}/token",
        }
        (folder / "account.json").write_text(json.dumps(account))
        yield {
            "GOOGLE_APPLICATION_CREDENTIALS": str(folder / "account.json"),
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDKMS": service.url,
            **key(f"gcpkms://{GCP_KEY}"),
        }


SERVICES = {"aws": aws, "vault": vault, "gcp": gcp}


def write_image(folder: Path) -> Path:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    parts = [layer([file("etc/os-release", "ID=none\n")], mtime=0)]
    return write_layout(folder, image(parts, ImageConfig(created=created)))


@pytest.mark.parametrize("name", SERVICES)
def test_cosign_verifies_what_a_key_in_a_service_signed(
    tools: Tools, olareg: StartOlareg, tmp_path: Path, name: str
) -> None:
    registry, cosign = olareg(), Cosign(tools.cosign, tmp_path)
    digest = push_layout(write_image(tmp_path / "image"), Repository(registry.host, "shop/web"))
    reference = f"{registry.host}/shop/web@{digest}"
    with SERVICES[name](tmp_path) as settings:
        for command in (("sign", reference), ("sign", reference, "--legacy"), ("keys", "public", "service.pub")):
            done = run_gate(*command, cwd=tmp_path, environment=settings)
            assert done.returncode == 0, done.stderr
    for form in ("true", "false"):
        assert cosign.verifies(reference, tmp_path / "service.pub", f"--new-bundle-format={form}"), form


@pytest.mark.parametrize("name", SERVICES)
def test_offline_and_unreachable_services_end_with_three_and_sign_nothing(tmp_path: Path, name: str) -> None:
    place = write_image(tmp_path / "image")
    before = (place / "index.json").read_bytes()
    with SERVICES[name](tmp_path) as settings:
        done = run_gate("sign", f"oci:{place}", "--offline", cwd=tmp_path, environment=settings)
        assert (done.returncode, "KEY_SERVICE" in done.stderr) == (3, True), done.stderr
    done = run_gate("sign", f"oci:{place}", cwd=tmp_path, environment={**settings, "AWS_MAX_ATTEMPTS": "1"})
    assert (done.returncode, "KEY_SERVICE" in done.stderr) == (3, True), done.stderr
    assert "secret-of-the-test" not in done.stdout + done.stderr
    assert (place / "index.json").read_bytes() == before
