"""Where logins are found: Docker's and Podman's files, and helpers; attack R10."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from gate.errors import GateError, RegistryError
from gate.model.reference import parse_repository
from gate.registry.credentials import ask_helper, default_credential_files
from gate.registry.options import Credential

REPOSITORY = parse_repository("registry.example/shop/web")


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def write(file: Path, document: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(document if isinstance(document, str) else json.dumps(document), encoding="utf-8")
    return file


def install_helper(folder: Path, script: str, name: str = "test") -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="ascii")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize(
    ("auths", "expected"),
    [
        ({"registry.example": auth("robot:pa:ss")}, Credential(username="robot", password="pa:ss")),
        ({"https://registry.example/v2/": auth("a:b")}, Credential(username="a", password="b")),
        ({"registry.example": {"username": "a", "password": "b"}}, Credential(username="a", password="b")),
        ({"registry.example": {"identitytoken": "t"}}, Credential(identity_token="t")),
        ({"registry.example": {"registrytoken": "t"}}, Credential(registry_token="t")),
        ({"registry.example": auth("a:b"), "registry.example/shop": auth("c:d")}, Credential(username="c", password="d")),
        ({"registry.example": auth("a:b"), "registry.example/shop/web": auth("e:f")}, Credential(username="e", password="f")),
        ({"registry.example": {}}, None),
        ({"registry.example.evil": auth("a:b"), "other.example": auth("a:b")}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_entries(tmp_path: Path, auths: object, expected: Credential | None) -> None:
    file = write(tmp_path / "auth.json", {"auths": auths})
    assert default_credential_files({}, file).find(REPOSITORY) == expected


@pytest.mark.parametrize("key", ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "registry-1.docker.io"])
def test_docker_hub_under_all_its_names(tmp_path: Path, key: str) -> None:
    file = write(tmp_path / "auth.json", {"auths": {key: auth("a:b")}})
    assert default_credential_files({}, file).find(parse_repository("nginx")) == Credential(username="a", password="b")


def test_order_of_files(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "DOCKER_CONFIG": str(tmp_path / "d"),
    }
    files = default_credential_files(environment)
    assert files.find(REPOSITORY) is None
    write(tmp_path / ".dockercfg", {"registry.example": auth("legacy:x")})
    write(tmp_path / ".config/containers/auth.json", {"auths": {"registry.example": auth("podman:x")}})
    write(tmp_path / "run/containers/auth.json", {"auths": {"registry.example": auth("running:x")}})
    write(tmp_path / "d/config.json", {"auths": {"registry.example": auth("docker:x")}})
    found = []
    for file in files.files:
        credential = files.find(REPOSITORY)
        assert credential is not None
        found.append(credential.username)
        file.unlink()
    assert found == ["docker", "running", "podman", "legacy"]


def test_a_named_file_stands_alone_and_must_exist(tmp_path: Path) -> None:
    write(tmp_path / ".docker/config.json", {"auths": {"registry.example": auth("a:b")}})
    environment = {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(tmp_path / "missing.json")}
    with pytest.raises(RegistryError) as caught:
        default_credential_files(environment).find(REPOSITORY)
    assert caught.value.code == "REG_AUTH"


@pytest.mark.parametrize(
    "document",
    ["{", "[]", {"auths": []}, {"auths": {"registry.example": {"auth": "!"}}}, {"auths": {"registry.example": auth("x")}},
     '{"auths":{"registry.example":{"auth":"YTpi"},"registry.example":{"auth":"YTpj"}}}', {"credsStore": 7},
     {"auths": {"registry.example": {"auth": base64.b64encode(b"\xff:\xff").decode()}}}],
)  # fmt: skip
def test_a_malformed_file_is_an_error_and_shows_nothing(tmp_path: Path, document: object) -> None:
    file = write(tmp_path / "auth.json", document)
    with pytest.raises(RegistryError) as caught:
        default_credential_files({}, file).find(REPOSITORY)
    assert caught.value.code == "REG_AUTH"
    assert "YTpi" not in str(caught.value)


def test_helper_for_one_registry_and_store_for_the_others(tmp_path: Path) -> None:
    answer = 'printf \'{"ServerURL":"x","Username":"%s","Secret":"s"}\' "$(cat)"'
    environment = install_helper(tmp_path / "bin", answer)
    file = write(tmp_path / "auth.json", {"credHelpers": {"registry.example": "test"}, "credsStore": "test"})
    files = default_credential_files(environment, file)
    assert files.find(REPOSITORY) == Credential(username="registry.example", password="s")
    hub = files.find(parse_repository("nginx"))
    assert hub == Credential(username="https://index.docker.io/v1/", password="s")


def test_helper_gives_an_identity_token(tmp_path: Path) -> None:
    environment = install_helper(tmp_path / "bin", 'echo \'{"Username":"<token>","Secret":"t"}\'')
    assert ask_helper("test", "registry.example", environment) == Credential(identity_token="t")


def test_helper_has_nothing_and_the_file_is_asked(tmp_path: Path) -> None:
    environment = install_helper(tmp_path / "bin", "echo 'credentials not found in native keychain'; exit 1")
    document = {"credsStore": "test", "auths": {"registry.example": auth("a:b")}}
    files = default_credential_files(environment, write(tmp_path / "auth.json", document))
    assert files.find(REPOSITORY) == Credential(username="a", password="b")


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", 'echo \'{"Username":"a"}\'', "yes | head -c 3000000"])
def test_a_helper_that_fails(tmp_path: Path, script: str) -> None:
    environment = install_helper(tmp_path / "bin", script)
    with pytest.raises(GateError) as caught:
        ask_helper("test", "registry.example", environment)
    assert caught.value.code == "REG_AUTH"


@pytest.mark.parametrize("name", ["missing", "../evil", "a b", ""])
def test_a_helper_that_is_none(name: str) -> None:
    with pytest.raises(GateError) as caught:
        ask_helper(name, "registry.example", {"PATH": "/nonexistent"})
    assert caught.value.code == "REG_AUTH"


def test_r10_a_credential_is_never_shown() -> None:
    secret = Credential(username="robot", password="s3cret", identity_token="s3cret", registry_token="s3cret")
    assert "s3cret" not in repr(secret)
    assert "robot" not in repr(secret)
