"""The registry client and the sources on real registries: with and without referrers, passwords, TLS, rate limits."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.codec.oci import parse_manifest
from gate.errors import GateError
from gate.images.attachments import collect_attachments
from gate.images.blob_store import BlobStore
from gate.images.pull import pull_blobs
from gate.images.registry_source import RegistrySource
from gate.model.attachment import BUNDLE_V03, AttachmentSource
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST
from gate.model.reference import Repository, parse_repository
from gate.registry.client import RegistryClient
from gate.registry.credentials import default_credential_files
from gate.registry.options import Credential, NoCredentials, RegistryOptions
from tests.conftest import StartDockerRegistry, StartOlareg
from tests.support.certificates import write_server_certificate
from tests.support.images import attachment_manifest, describe, small_image
from tests.support.programs import Tools
from tests.support.registries import RunningRegistry

pytestmark = pytest.mark.real_tools

LAYER = b"0123456789abcdef" * 200_000
IMAGE = small_image(LAYER, b"second layer")
BUNDLE = b'{"a":"bundle"}'
ATTACHMENT = attachment_manifest(IMAGE.descriptor, BUNDLE, media_type=BUNDLE_V03)

Start = Callable[[], RunningRegistry]


class Login:
    """The credential of one registry, and a wrong one on demand."""

    def __init__(self, username: str, password: str) -> None:
        self._credential = Credential(username=username, password=password)

    def find(self, repository: Repository) -> Credential:
        del repository
        return self._credential


def client_of(registry: RunningRegistry, *, seconds: int = 60) -> RegistryClient:
    login = Login(registry.username, registry.password) if registry.username else NoCredentials()
    options = RegistryOptions(ca_file=registry.authority, credentials=login)
    return RegistryClient(options, Deadline.after(timedelta(seconds=seconds)))


def repository_of(registry: RunningRegistry) -> Repository:
    return parse_repository(f"{registry.host}/shop/web")


def push_image(client: RegistryClient, repository: Repository) -> None:
    for blob in (*IMAGE.blobs, b"{}"):
        client.push_blob(repository, Digest.of(blob), blob)
    client.push_manifest(repository, IMAGE.manifest, OCI_MANIFEST, "latest")


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(GateError) as caught:
        call()
    return caught.value.code


@pytest.fixture(params=["referrers", "no-referrers", "tls", "passwords"])
def registry(
    request: pytest.FixtureRequest, olareg: StartOlareg, docker_registry: StartDockerRegistry
) -> RunningRegistry:
    starts: dict[str, Start] = {
        "referrers": olareg,
        "no-referrers": lambda: olareg(referrers=False),
        "tls": lambda: olareg(tls=True),
        "passwords": docker_registry,
    }
    return starts[request.param]()


def test_push_pull_attach_and_read_back(registry: RunningRegistry, tmp_path: Path) -> None:
    repository = repository_of(registry)
    with client_of(registry) as client, BlobStore(tmp_path) as store:
        push_image(client, repository)
        assert client.resolve_tag(repository, "latest") == IMAGE.digest
        source = RegistrySource(client, repository, IMAGE.digest)
        manifest = parse_manifest(source.root().content, media_type=source.root().media_type)
        pull_blobs(source, store, [manifest.config, *manifest.layers], limit_bytes=10_000_000)
        assert b"".join(store.chunks(manifest.layers[0])) == LAYER
        assert collect_attachments(source, IMAGE.digest).items == ()
        for _ in range(2):
            source.writer.attach(IMAGE.descriptor, ATTACHMENT, (BUNDLE,))
        source.writer.confirm(IMAGE.descriptor, ATTACHMENT)
        found = collect_attachments(source, IMAGE.digest)
    assert [(item.content, item.manifest) for item in found.items] == [(BUNDLE, Digest.of(ATTACHMENT))]
    assert found.items[0].source in {AttachmentSource.REFERRER, AttachmentSource.FALLBACK_TAG}


def test_a_file_is_pushed_from_disk(registry: RunningRegistry, tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(LAYER)
    with client_of(registry) as client:
        client.push_blob(repository_of(registry), Digest.of(LAYER), tmp_path / "layer")
        assert client.read_blob(repository_of(registry), describe(LAYER), len(LAYER)) == LAYER


def test_what_is_not_there(registry: RunningRegistry) -> None:
    with client_of(registry) as client:
        repository = repository_of(registry)
        push_image(client, repository)
        assert code_of(lambda: client.manifest(repository, Digest.of(b"no"))) == "REG_NOT_FOUND"
        assert code_of(lambda: client.resolve_tag(repository, "no")) == "REG_NOT_FOUND"
        assert code_of(lambda: client.read_blob(repository, describe(b"no"), 10)) == "REG_NOT_FOUND"


def test_where_the_attachment_is_listed(olareg: StartOlareg) -> None:
    for referrers in (True, False):
        registry = olareg(referrers=referrers)
        with client_of(registry) as client:
            repository = repository_of(registry)
            push_image(client, repository)
            attached = client.attach(repository, IMAGE.descriptor, ATTACHMENT, (BUNDLE,))
            assert attached.by_fallback_tag is not referrers


def test_writers_at_once_lose_nothing(docker_registry: StartDockerRegistry) -> None:
    registry = docker_registry()
    repository = repository_of(registry)
    blobs = [b"bundle %d" % number for number in range(4)]
    manifests = [attachment_manifest(IMAGE.descriptor, blob, media_type=BUNDLE_V03) for blob in blobs]
    with client_of(registry) as client, ThreadPoolExecutor(4) as pool:
        push_image(client, repository)
        source = RegistrySource(client, repository, IMAGE.digest)
        list(
            pool.map(
                lambda pair: source.writer.attach(IMAGE.descriptor, pair[0], (pair[1],)),
                zip(manifests, blobs, strict=True),
            )
        )
        for manifest in manifests:
            source.writer.confirm(IMAGE.descriptor, manifest)
        listed = {item.digest for item in client.referrers(repository, IMAGE.digest)}
    assert listed == {Digest.of(manifest) for manifest in manifests}


def test_a_wrong_password_and_none(docker_registry: StartDockerRegistry) -> None:
    registry = docker_registry()
    repository = repository_of(registry)
    for login in (Login(registry.username, "wrong"), NoCredentials()):
        options = RegistryOptions(credentials=login)
        with RegistryClient(options, Deadline.after(timedelta(seconds=30))) as client:
            assert code_of(lambda client=client: client.resolve_tag(repository, "latest")) == "REG_AUTH"  # type: ignore[misc]


def test_the_login_that_docker_stored(docker_registry: StartDockerRegistry, tmp_path: Path) -> None:
    registry = docker_registry()
    (tmp_path / "config.json").write_text(
        f'{{"auths":{{"{registry.host}":{{"username":"{registry.username}","password":"{registry.password}"}}}}}}',
        encoding="ascii",
    )
    options = RegistryOptions(credentials=default_credential_files({"DOCKER_CONFIG": str(tmp_path)}))
    with RegistryClient(options, Deadline.after(timedelta(seconds=30))) as client:
        push_image(client, repository_of(registry))
        assert client.resolve_tag(repository_of(registry), "latest") == IMAGE.digest


def test_a_certificate_of_another_authority(olareg: StartOlareg, tmp_path: Path) -> None:
    registry = olareg(tls=True)
    options = RegistryOptions(ca_file=write_server_certificate(tmp_path).authority)
    with RegistryClient(options, Deadline.after(timedelta(seconds=30))) as client:
        assert code_of(lambda: client.resolve_tag(repository_of(registry), "latest")) == "REG_TLS"


def test_a_rate_limit_is_waited_out(olareg: StartOlareg) -> None:
    registry = olareg(rate_limit=10)
    with client_of(registry) as client:
        push_image(client, repository_of(registry))
        for _ in range(6):
            assert client.manifest(repository_of(registry), IMAGE.digest).digest == IMAGE.digest


def test_a_registry_that_takes_nothing(olareg: StartOlareg) -> None:
    registry = olareg(read_only=True)
    with client_of(registry) as client:
        code = code_of(lambda: client.push_blob(repository_of(registry), Digest.of(LAYER), LAYER))
    assert code in {"REG_PUSH", "REG_DENIED"}


def test_delete(olareg: StartOlareg) -> None:
    registry = olareg(delete=True)
    repository = repository_of(registry)
    with client_of(registry) as client:
        push_image(client, repository)
        client.delete_manifest(repository, IMAGE.digest)
        assert code_of(lambda: client.manifest(repository, IMAGE.digest)) == "REG_NOT_FOUND"
        client.delete_manifest(repository, IMAGE.digest)
    keeping = olareg(delete=False)
    with client_of(keeping) as client:
        push_image(client, repository_of(keeping))
        assert code_of(lambda: client.delete_manifest(repository_of(keeping), IMAGE.digest)) == "REG_PUSH"


def test_what_cosign_attached_is_collected(tools: Tools, olareg: StartOlareg, tmp_path: Path) -> None:
    registry = olareg()
    repository = repository_of(registry)
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "COSIGN_PASSWORD": ""}

    def cosign(*arguments: str) -> None:
        command = [str(tools.cosign), *arguments]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=120)

    with client_of(registry) as client:
        push_image(client, repository)
        cosign("generate-key-pair")
        asked = f"{repository}@{IMAGE.digest}"
        options = ["--key", "cosign.key", "--yes", "--tlog-upload=false", "--use-signing-config=false"]
        cosign("sign", *options, asked)
        cosign("sign", *options, "--new-bundle-format=false", asked)
        source = RegistrySource(client, repository, IMAGE.digest)
        found = collect_attachments(source, IMAGE.digest)
    assert {item.source for item in found.items} == {AttachmentSource.REFERRER, AttachmentSource.LEGACY_SIGNATURE}
    assert found.ignored == ()
