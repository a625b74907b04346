"""The image configuration, and platforms as people and runtimes write them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gate.codec.oci import parse_manifest
from gate.codec.oci_config import parse_config, require_config
from gate.codec.platforms import normal_platform, parse_platform, same_platform
from gate.errors import ImageError, UsageError
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST, Platform
from tests.support.images import small_image

A = "sha256:" + "a" * 64


def config(**changes: Any) -> bytes:  # noqa: ANN401 - JSON
    document = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [A]}}
    return json.dumps({key: value for key, value in {**document, **changes}.items() if value is not ...}).encode()


def code_of(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        parse_config(data)
    return caught.value.code


def test_a_full_configuration() -> None:
    parsed = parse_config(
        config(
            created="2026-01-02T03:04:05.678Z", author="me", variant="v3",
            config={
                "User": "10001:10001", "ExposedPorts": {"443/tcp": {}, "22/tcp": {}}, "Env": ["A=1", "B=2"],
                "Entrypoint": ["/a"], "Cmd": None, "Volumes": {"/data": {}}, "WorkingDir": "/", "Labels": {"x": "y"},
                "StopSignal": "TERM", "Healthcheck": {"Test": ["CMD", "x"], "Interval": 1000}, "OnBuild": ["RUN x"],
                "Shell": ["/bin/sh", "-c"], "Hostname": "ignored",
            },
            history=[{"created_by": "RUN x", "empty_layer": True}, {"comment": "c", "created": None}],
        )
    )  # fmt: skip
    assert parsed.platform == Platform("linux", "amd64", "v3")
    assert parsed.created == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert (parsed.user, parsed.exposed_ports, parsed.env) == ("10001:10001", ("22/tcp", "443/tcp"), ("A=1", "B=2"))
    assert (parsed.entrypoint, parsed.cmd, parsed.volumes) == (("/a",), (), ("/data",))
    assert (parsed.healthcheck, parsed.shell, dict(parsed.labels)) == (("CMD", "x"), ("/bin/sh", "-c"), {"x": "y"})
    assert [entry.empty_layer for entry in parsed.history] == [True, False]
    assert parsed.diff_ids == (Digest(A),)


def test_an_empty_configuration() -> None:
    parsed = parse_config(config(config=None, rootfs={"type": "layers", "diff_ids": None}))
    assert (parsed.created, parsed.user, parsed.diff_ids, parsed.history) == (None, "", (), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"user": "root", "User": "10001"}}, {"config": {"user": "root"}}, {"config": {"u\u017fer": "0"}},
        {"Config": {}}, {"OS": "linux"}, {"rootfs": {"type": "layers", "diff_ids": [A], "Diff_IDs": []}},
        {"history": [{"Created_By": "x"}]}, {"config": {"Healthcheck": {"test": ["CMD", "x"]}}},
    ],
)  # fmt: skip
def test_d05_keys_in_another_case(changes: dict[str, Any]) -> None:
    assert code_of(config(**changes)) == "IMG_AMBIGUOUS"


@pytest.mark.parametrize(
    "changes",
    [
        {"os": ...}, {"architecture": None}, {"rootfs": ...}, {"rootfs": {"type": "other", "diff_ids": [A]}},
        {"rootfs": {"type": "layers", "diff_ids": ["sha256:x"]}}, {"created": "yesterday"}, {"created": 5},
        {"config": {"Env": "A=1"}}, {"config": {"ExposedPorts": ["22/tcp"]}}, {"config": {"Labels": {"a": 1}}},
        {"config": {"User": 0}}, {"history": {}}, {"config": []},
    ],
)  # fmt: skip
def test_malformed_configurations(changes: dict[str, Any]) -> None:
    assert code_of(config(**changes)) == "IMG_MALFORMED"


def test_a_configuration_that_is_too_large() -> None:
    assert code_of(config() + b" " * (8 << 20)) == "LIMIT_BLOB"


def test_the_configuration_and_what_names_it() -> None:
    image = small_image(b"one", b"two")
    manifest = parse_manifest(image.manifest, media_type=OCI_MANIFEST)
    parsed = parse_config(image.blobs[0])
    for platform in (None, Platform("linux", "amd64"), Platform("linux", "x86_64"), Platform("linux", "amd64", "v2")):
        require_config(parsed, manifest, platform)
    with pytest.raises(ImageError) as caught:
        require_config(parsed, manifest, Platform("linux", "arm64"))
    assert caught.value.code == "IMG_AMBIGUOUS"
    with pytest.raises(ImageError) as caught:
        require_config(parse_config(config()), manifest, None)
    assert caught.value.code == "IMG_DIFFID"


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")), ("linux/x86_64", Platform("linux", "amd64")),
        ("linux/aarch64", Platform("linux", "arm64")), ("linux/arm64/v8", Platform("linux", "arm64")),
        ("linux/arm", Platform("linux", "arm", "v7")), ("linux/arm/6", Platform("linux", "arm", "v6")),
        ("linux/armhf", Platform("linux", "arm", "v7")), ("macos/arm64", Platform("darwin", "arm64")),
    ],
)  # fmt: skip
def test_platforms_that_are_asked_for(text: str, platform: Platform) -> None:
    assert parse_platform(text) == platform
    assert normal_platform(platform) == platform


@pytest.mark.parametrize("text", ["", "linux", "linux/", "/amd64", "linux/amd64/v1/x", "linux amd64", "Linux/AMD64"])
def test_what_is_no_platform(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_platform(text)
    assert caught.value.code == "USAGE"


def test_which_child_serves_a_request() -> None:
    assert same_platform(parse_platform("linux/arm64"), Platform("linux", "arm64", "v8"))
    assert not same_platform(parse_platform("linux/arm/v7"), Platform("linux", "arm", "v6"))
    assert not same_platform(parse_platform("linux/amd64"), Platform("linux", "amd64", "v3"))
    windows = Platform("windows", "amd64", "", "10.0.1", ("win32k",))
    assert same_platform(parse_platform("windows/amd64"), windows)
    assert not same_platform(Platform("windows", "amd64", "", "10.0.2"), windows)
