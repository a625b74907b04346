"""The schemes of other tools are refused with ours; hosts, ports and images of the same names are not."""

from __future__ import annotations

import pytest

from gate.errors import UsageError
from gate.model.reference import RegistryReference, parse_reference

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("docker:nginx:1.2", "archive:FILE"),
        ("docker://registry.example/a/b", "archive:FILE"),
        ("docker:shop/web", "archive:FILE"),
        ("docker-archive:image.tar", "archive:FILE"),
        ("oci-archive:image.tar", "archive:FILE"),
        ("docker-daemon:web:1", "archive:FILE"),
        ("containers-storage:web", "archive:FILE"),
        ("podman:web", "archive:FILE"),
        ("dir:.", "gate secrets scan"),
        ("dir:/etc", "gate secrets scan"),
        ("file:/etc/passwd", "gate secrets scan"),
        ("sbom:bom.json", "bill of materials"),
        ("pkg:deb/debian/zlib1g", "bill of materials"),
        ("oci-dir:image", "oci:DIR"),
        (f"https://registry.example/a/b@{DIGEST}", "without a scheme"),
        ("http://registry.example/a/b", "without a scheme"),
        ("registry:registry.example/a/b", "without a scheme"),
    ],
)
def test_a_foreign_scheme_is_refused_with_ours(text: str, form: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_reference(text)
    assert raised.value.code == "REF_MALFORMED"
    assert form in str(raised.value)


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("docker:27-cli", "docker.io/library/docker"),
        (f"docker:27@{DIGEST}", "docker.io/library/docker"),
        ("registry:2", "docker.io/library/registry"),
        ("registry:5000/shop/web", "registry:5000/shop/web"),
        ("sbom:5000/shop/web", "sbom:5000/shop/web"),
        ("docker:443/shop/web", "docker/shop/web"),
        (f"docker@{DIGEST}", "docker.io/library/docker"),
        ("file/shop:1", "docker.io/file/shop"),
    ],
)
def test_a_host_or_an_image_of_that_name_is_none(text: str, repository: str) -> None:
    found = parse_reference(text)
    assert isinstance(found, RegistryReference)
    assert str(found.repository) == repository
