"""Manifests and indexes that two readers would see differently: attacks D05, D06, D07, D09, D10, D11."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from gate.codec.oci import (
    IN_TOTO,
    is_build_attestation,
    names_build_attestation,
    parse_index,
    parse_listing,
    parse_manifest,
    require_children,
    require_runnable,
)
from gate.errors import ImageError, RegistryError
from gate.model.digest import Digest
from gate.model.image import (
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImageIndex,
    ImageManifest,
    Platform,
)
from gate.model.string_map import StringMap

TAR = "application/vnd.oci.image.layer.v1.tar+gzip"
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def descriptor(media_type: str = TAR, digest: str = A, size: object = 3, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"mediaType": media_type, "digest": digest, "size": size, **more}


def manifest(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(OCI_CONFIG),
        "layers": [descriptor(), descriptor(digest=B)],
    }
    return {key: value for key, value in {**document, **changes}.items() if value is not ...}


def index(*children: dict[str, Any], **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children)}
    return {key: value for key, value in {**document, **changes}.items() if value is not ...}


def child(digest: str = A, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return descriptor(OCI_MANIFEST, digest, **more)


def data(document: object) -> bytes:
    return json.dumps(document).encode()


def manifest_code(document: object, media_type: str = OCI_MANIFEST) -> str:
    with pytest.raises(ImageError) as caught:
        parse_manifest(document if isinstance(document, bytes) else data(document), media_type=media_type)
    return caught.value.code


def index_code(document: object, media_type: str = OCI_INDEX) -> str:
    with pytest.raises(ImageError) as caught:
        parse_index(data(document), media_type=media_type)
    return caught.value.code


def test_manifest() -> None:
    parsed = parse_manifest(data(manifest(annotations={"a": "b"})), media_type=OCI_MANIFEST)
    assert parsed.config.media_type == OCI_CONFIG
    assert [layer.digest.text for layer in parsed.layers] == [A, B]
    assert dict(parsed.annotations) == {"a": "b"}
    require_runnable(parsed)


def test_docker_manifest() -> None:
    document = manifest(mediaType=DOCKER_MANIFEST, config=descriptor(DOCKER_CONFIG))
    require_runnable(parse_manifest(data(document), media_type=DOCKER_MANIFEST))


@pytest.mark.parametrize("media_type", [OCI_MANIFEST, DOCKER_MANIFEST])
@pytest.mark.parametrize("field", ["manifests", "fsLayers", "Layers", "LAYERS", "layer\u017f", "Config", "MediaType"])
def test_d05_polyglot_manifests(media_type: str, field: str) -> None:
    assert manifest_code(manifest(mediaType=media_type, **{field: []}), media_type) == "IMG_AMBIGUOUS"


@pytest.mark.parametrize("field", ["layers", "config", "fsLayers", "Manifests", "manife\u017fts"])
def test_d05_polyglot_indexes(field: str) -> None:
    assert index_code(index(child(), **{field: []})) == "IMG_AMBIGUOUS"


@pytest.mark.parametrize("own", ["", None, OCI_INDEX, DOCKER_MANIFEST, OCI_MANIFEST + "; charset=utf-8"])
def test_d05_a_type_that_is_not_the_served_one(own: object) -> None:
    assert manifest_code(manifest(mediaType=own)) == "IMG_AMBIGUOUS"


def test_the_type_may_be_left_out_as_umoci_leaves_it_out() -> None:
    assert parse_manifest(data(manifest(mediaType=...)), media_type=OCI_MANIFEST).media_type == OCI_MANIFEST
    assert parse_index(data(index(child(), mediaType=...)), media_type=OCI_INDEX).media_type == OCI_INDEX


def test_a_list_of_layers_that_go_wrote_as_null_is_empty() -> None:
    assert parse_manifest(data(manifest(layers=None)), media_type=OCI_MANIFEST).layers == ()
    assert manifest_code(manifest(layers=...)) == "IMG_MALFORMED"


def test_d05_what_leaves_its_type_out_is_what_its_fields_say() -> None:
    assert manifest_code(manifest(mediaType=...), DOCKER_MANIFEST) == "IMG_AMBIGUOUS"
    assert manifest_code(manifest(mediaType=..., manifests=[])) == "IMG_AMBIGUOUS"
    assert index_code(index(child(), mediaType=..., layers=[])) == "IMG_AMBIGUOUS"
    assert manifest_code(index(child(), mediaType=...)) == "IMG_AMBIGUOUS"


def test_d05_duplicate_keys() -> None:
    twice = data(manifest()).replace(b'"layers"', b'"layers":[],"layers"', 1)
    assert manifest_code(twice) == "IMG_AMBIGUOUS"


@pytest.mark.parametrize(
    "media_type",
    ["", "application/vnd.docker.distribution.manifest.v1+prettyjws", "application/json", OCI_INDEX, OCI_EMPTY],
)
def test_d06_other_types(media_type: str) -> None:
    assert manifest_code(manifest(mediaType=media_type), media_type) == "IMG_MEDIA_TYPE"


def test_d06_other_schema() -> None:
    assert manifest_code(manifest(schemaVersion=1)) == "IMG_MEDIA_TYPE"


@pytest.mark.parametrize("media_type", ["application/vnd.unknown", "application/vnd.docker.plugin.v1+json", OCI_EMPTY])
def test_d06_an_artifact_dressed_as_an_image(media_type: str) -> None:
    document = manifest(config=descriptor(media_type), artifactType="application/x")
    parsed = parse_manifest(data(document), media_type=OCI_MANIFEST)
    with pytest.raises(ImageError) as caught:
        require_runnable(parsed)
    assert caught.value.code == "IMG_MEDIA_TYPE"


def test_d06_nested_and_wide_indexes() -> None:
    children = [child("sha256:" + f"{number:064x}") for number in range(129)]
    assert len(parse_index(data(index(*children[:128])), media_type=OCI_INDEX).manifests) == 128
    assert index_code(index(*children)) == "LIMIT_INDEX"
    assert index_code(index(*(children * 80)[:10_000])) == "LIMIT_INDEX"
    for nested in (OCI_INDEX, DOCKER_INDEX):
        assert index_code(index(descriptor(nested))) == "LIMIT_INDEX"
    assert index_code(index(descriptor("application/x"))) == "IMG_MEDIA_TYPE"


def test_an_empty_configuration_needs_an_artifact_type() -> None:
    assert manifest_code(manifest(config=descriptor(OCI_EMPTY))) == "IMG_MALFORMED"


@pytest.mark.parametrize(
    "changes",
    [
        {"config": ...}, {"layers": ...}, {"layers": {}}, {"layers": [1]}, {"config": []},
        {"layers": [descriptor(digest="sha512:" + "a" * 128)]}, {"layers": [descriptor(size=-1)]},
        {"layers": [descriptor(size=True)]}, {"layers": [descriptor(size="3")]}, {"layers": [descriptor(size=3.0)]},
        {"subject": 1}, {"annotations": {"a": 1}}, {"layers": [descriptor(urls="x")]}, {"schemaVersion": "2"},
        {"layers": [descriptor(data="QR==")]},
    ],
)  # fmt: skip
def test_malformed_manifests(changes: dict[str, Any]) -> None:
    assert manifest_code(manifest(**changes)) == "IMG_MALFORMED"


def test_a_key_in_another_case_within_a_descriptor() -> None:
    assert manifest_code(manifest(layers=[descriptor(Digest=B)])) == "IMG_AMBIGUOUS"
    assert (
        index_code(index(child(platform={"os": "linux", "architecture": "amd64", "OS": "windows"}))) == "IMG_AMBIGUOUS"
    )


def test_too_many_bytes() -> None:
    assert manifest_code(data(manifest()) + b" " * (4 << 20)) == "LIMIT_BLOB"


def test_d11_inline_data() -> None:
    blob = b"{}"
    honest = descriptor(OCI_EMPTY, Digest.of(blob).text, 2, data=base64.b64encode(blob).decode())
    parse_manifest(data(manifest(config=honest, artifactType="x")), media_type=OCI_MANIFEST)
    assert manifest_code(manifest(config={**honest, "data": "e31b"}, artifactType="x")) == "IMG_SIZE"
    assert manifest_code(manifest(config={**honest, "data": "W10="}, artifactType="x")) == "IMG_AMBIGUOUS"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", f"{TAR}+encrypted", "application/octet-stream",
        "application/vnd.oci.image.layer.v1.tar+br", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "",
        IN_TOTO,
    ],
)  # fmt: skip
def test_d10_layers_that_cannot_be_read(media_type: str) -> None:
    parsed = parse_manifest(data(manifest(layers=[descriptor(media_type)])), media_type=OCI_MANIFEST)
    with pytest.raises(ImageError) as caught:
        require_runnable(parsed)
    assert caught.value.code == "IMG_LAYER_UNSCANNABLE"


def test_more_layers_than_can_be_mounted() -> None:
    require_runnable(parse_manifest(data(manifest(layers=[descriptor()] * 127)), media_type=OCI_MANIFEST))
    with pytest.raises(ImageError) as caught:
        require_runnable(parse_manifest(data(manifest(layers=[descriptor()] * 128)), media_type=OCI_MANIFEST))
    assert caught.value.code == "LIMIT_LAYER"


def on(system: str, architecture: str, variant: str = "", version: str = "", *, digest: str = A) -> Descriptor:
    platform = Platform(system, architecture, variant, version)
    return Descriptor(media_type=OCI_MANIFEST, digest=Digest(digest), size=1, platform=platform)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (("linux", "amd64"), ("linux", "amd64")), (("linux", "arm64"), ("linux", "arm64", "v8")),
        (("linux", "amd64"), ("Linux", "x86_64")), (("linux", "arm"), ("linux", "arm", "v7")),
        (("linux", "amd64"), ("linux", "amd64", "v1")), (("unknown", "unknown"), ("unknown", "unknown")),
    ],
)  # fmt: skip
def test_d09_two_children_for_one_platform(left: tuple[str, ...], right: tuple[str, ...]) -> None:
    with pytest.raises(ImageError) as caught:
        require_children((on(*left), on(*right, digest=B)))
    assert caught.value.code == "IMG_AMBIGUOUS"


def test_d09_two_children_without_a_platform() -> None:
    bare = tuple(Descriptor(media_type=OCI_MANIFEST, digest=Digest(digest), size=1) for digest in (A, B))
    require_children(bare[:1])
    with pytest.raises(ImageError) as caught:
        require_children(bare)
    assert caught.value.code == "IMG_AMBIGUOUS"


def test_children_of_different_platforms() -> None:
    require_children(
        (on("linux", "amd64"), on("linux", "arm", "v6"), on("linux", "arm", "v7"), on("linux", "amd64", "v3"))
    )
    require_children((on("windows", "amd64", "", "10.0.17763.1"), on("windows", "amd64", "", "10.0.20348.1")))


def test_d07_an_index_without_an_image() -> None:
    with pytest.raises(ImageError) as caught:
        require_children(())
    assert caught.value.code == "IMG_MALFORMED"


UNKNOWN = Platform("unknown", "unknown")
NOTE = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": A}


def attestation_of(
    platform: Platform | None = UNKNOWN, annotations: dict[str, str] = NOTE,
    layers: tuple[str, ...] = (IN_TOTO,), digest: str = B,
) -> bool:  # fmt: skip
    image = on("linux", "amd64")
    note = Descriptor(
        media_type=OCI_MANIFEST, digest=Digest(digest), size=1, platform=platform, annotations=StringMap.of(annotations)
    )
    listed = ImageIndex(media_type=OCI_INDEX, manifests=(image, note))
    found = tuple(Descriptor(media_type=kind, digest=Digest(A), size=1) for kind in layers)
    config = Descriptor(media_type=OCI_CONFIG, digest=Digest(A), size=1)
    return is_build_attestation(note, ImageManifest(media_type=OCI_MANIFEST, config=config, layers=found), listed)


def test_build_attestation() -> None:
    assert attestation_of()
    assert attestation_of(layers=(IN_TOTO, IN_TOTO))


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": (TAR,)}, {"layers": (IN_TOTO, TAR)}, {"layers": ()}, {"platform": None},
        {"platform": Platform("linux", "amd64")}, {"platform": Platform("unknown", "unknown", "v1")},
        {"annotations": {}}, {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}},
        {"annotations": {**NOTE, "vnd.docker.reference.type": "other"}},
        {"annotations": {**NOTE, "vnd.docker.reference.digest": "sha256:" + "c" * 64}},
        {"annotations": {**NOTE, "vnd.docker.reference.digest": B}},
    ],
)  # fmt: skip
def test_d09_anything_less_is_judged_as_an_image(changes: dict[str, Any]) -> None:
    assert not attestation_of(**changes)


def test_only_what_claims_to_be_an_attestation_is_looked_at() -> None:
    image = on("linux", "amd64")
    assert not names_build_attestation(image, ImageIndex(media_type=OCI_INDEX, manifests=(image,)))


def test_listing_takes_any_type_and_any_number() -> None:
    many = [descriptor("application/x", "sha256:" + f"{number:064x}") for number in range(100)]
    assert len(parse_listing(data(index(*many, descriptor(OCI_INDEX)))).manifests) == 101
    assert parse_listing(data(index(mediaType=..., manifests=None))).manifests == ()


@pytest.mark.parametrize(
    "changes", [{"mediaType": OCI_MANIFEST}, {"schemaVersion": 1}, {"Manifests": []}, {"manifests": [1]}]
)
def test_a_malformed_listing_is_the_registrys_fault(changes: dict[str, Any]) -> None:
    with pytest.raises(RegistryError) as caught:
        parse_listing(data(index(**changes)))
    assert caught.value.code == "REG_MALFORMED"
