"""Attachments: what is read, what is counted, what refuses; attacks A04, R08, S23, S24."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gate.clock import Deadline
from gate.codec.strict_json import JsonValue, canonical_json
from gate.errors import GateError
from gate.images.attachments import MAX_ATTACHMENT_BYTES, attachment_pages, collect_attachments
from gate.images.image_source import FetchedManifest
from gate.images.registry_source import RegistrySource
from gate.model.attachment import (
    BUNDLE_V03,
    DSSE_ENVELOPE,
    FAILED_VERDICT,
    SIMPLE_SIGNING,
    Attachments,
    AttachmentSource,
)
from gate.model.digest import Digest
from gate.model.image import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST
from gate.model.reference import parse_repository
from gate.registry.client import RegistryClient
from gate.registry.options import RegistryOptions
from gate.registry.tags import single_tag
from tests.support.hostile import HostileRegistry, hostile_registry
from tests.support.images import attachment_manifest, described, index_of, small_image

IMAGE = small_image(b"layer")
BASE = "/v2/shop/web"


@pytest.fixture
def server() -> Iterator[HostileRegistry]:
    with hostile_registry() as registry:
        yield registry


def collect(server: HostileRegistry) -> Attachments:
    options = RegistryOptions(stall_seconds=2, request_seconds=5, first_pause_seconds=0.001)
    with RegistryClient(options, Deadline.after(timedelta(seconds=60))) as client:
        source = RegistrySource(client, parse_repository(f"{server.host}/shop/web"), IMAGE.digest)
        return collect_attachments(source, IMAGE.digest)


def code_of(server: HostileRegistry) -> str:
    with pytest.raises(GateError) as caught:
        collect(server)
    return caught.value.code


def serve_manifest(server: HostileRegistry, content: bytes, *blobs: bytes) -> dict[str, JsonValue]:
    server.serve(f"{BASE}/manifests/{Digest.of(content)}", content, {"Content-Type": OCI_MANIFEST})
    for blob in blobs:
        server.serve(f"{BASE}/blobs/{Digest.of(blob)}", blob)
    return described(content, OCI_MANIFEST)


def bundle(server: HostileRegistry, *blobs: bytes, media_type: str = BUNDLE_V03) -> dict[str, JsonValue]:
    return serve_manifest(server, attachment_manifest(IMAGE.descriptor, *blobs, media_type=media_type), *blobs)


def serve_api(server: HostileRegistry, *entries: dict[str, JsonValue]) -> None:
    server.serve(f"{BASE}/referrers/{IMAGE.digest}", index_of(*entries), {"Content-Type": OCI_INDEX})


def serve_tag(server: HostileRegistry, *entries: dict[str, JsonValue]) -> None:
    tag = f"{BASE}/manifests/sha256-{IMAGE.digest.hex}"
    server.serve(tag, index_of(*entries), {"Content-Type": OCI_INDEX})


def serve_legacy(server: HostileRegistry, suffix: str, media_types: list[str], *blobs: bytes) -> None:
    layers: list[JsonValue] = [
        described(blob, kind, annotations={"n": str(number)})
        for number, (blob, kind) in enumerate(zip(blobs, media_types, strict=True))
    ]
    content = canonical_json(
        {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described(b"{}", OCI_CONFIG), "layers": layers}
    )
    path = f"{BASE}/manifests/sha256-{IMAGE.digest.hex}{suffix}"
    server.serve(path, content, {"Content-Type": OCI_MANIFEST})
    for blob in blobs:
        server.serve(f"{BASE}/blobs/{Digest.of(blob)}", blob)


def test_nothing_hangs_there(server: HostileRegistry) -> None:
    assert collect(server) == Attachments(digest=IMAGE.digest)


def test_all_places(server: HostileRegistry) -> None:
    serve_api(server, bundle(server, b"one"), bundle(server, b"failed", media_type=FAILED_VERDICT))
    serve_tag(server, bundle(server, b"one"), bundle(server, b"two"))
    serve_legacy(server, ".sig", [SIMPLE_SIGNING, SIMPLE_SIGNING], b"three", b"four")
    serve_legacy(server, ".att", [DSSE_ENVELOPE], b"five")
    found = collect(server)
    assert {(item.source, item.content) for item in found.items} == {
        (AttachmentSource.REFERRER, b"one"), (AttachmentSource.REFERRER, b"failed"),
        (AttachmentSource.FALLBACK_TAG, b"two"), (AttachmentSource.LEGACY_SIGNATURE, b"three"),
        (AttachmentSource.LEGACY_SIGNATURE, b"four"), (AttachmentSource.LEGACY_ATTESTATION, b"five"),
    }  # fmt: skip
    assert found.ignored == ()
    legacy = [item for item in found.items if item.source is AttachmentSource.LEGACY_SIGNATURE]
    assert [dict(item.annotations) for item in legacy] == [{"n": "0"}, {"n": "1"}]
    assert all(item.manifest is not None for item in found.items)


def test_r08_the_listings_types_decide_nothing(server: HostileRegistry) -> None:
    entry = {**bundle(server, b"one"), "artifactType": "application/vnd.oci.empty.v1+json", "size": 1}
    serve_api(server, entry)
    assert [item.content for item in collect(server).items] == [b"one"]


def test_what_can_be_no_signature_is_counted(server: HostileRegistry) -> None:
    sbom = serve_manifest(server, attachment_manifest(IMAGE.descriptor, b"x", media_type="application/spdx+json"))
    note = serve_manifest(
        server, attachment_manifest(IMAGE.descriptor, media_type="application/vnd.cncf.notary.signature")
    )
    serve_api(server, sbom, note, bundle(server, b"three"))
    serve_tag(server, {**described(b"was deleted", OCI_MANIFEST), "artifactType": BUNDLE_V03})
    serve_legacy(server, ".sig", ["application/x"], b"four")
    found = collect(server)
    assert [item.content for item in found.items] == [b"three"]
    assert dict(found.ignored) == {
        "application/spdx+json": 1, "application/vnd.cncf.notary.signature": 1, "application/x": 1, "missing": 1,
    }  # fmt: skip


@pytest.mark.parametrize("content", [b"{", b"[]", IMAGE.manifest.replace(b'"schemaVersion":2', b'"schemaVersion":1')])
def test_a_malformed_manifest_hides_no_good_one(server: HostileRegistry, content: bytes) -> None:
    serve_api(server, serve_manifest(server, content), bundle(server, b"one"))
    found = collect(server)
    assert ([item.content for item in found.items], sum(count for _, count in found.ignored)) == ([b"one"], 1)


def test_every_layer_of_an_attachment_is_read(server: HostileRegistry) -> None:
    """Each is verified on its own: what stands beside a good one neither helps nor hides it."""
    serve_api(server, bundle(server, b"one", b"two"))
    assert [item.content for item in collect(server).items] == [b"one", b"two"]


def test_cosigns_oci_mode_with_its_old_format_is_read(server: HostileRegistry) -> None:
    kind = "application/vnd.dev.cosign.artifact.sig.v1+json"
    layers: list[JsonValue] = [described(b"payload", SIMPLE_SIGNING, annotations={"n": "1"})]
    fields: dict[str, JsonValue] = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": layers}
    content = canonical_json({**fields, "config": described(b"{}", kind)})
    entry = {**serve_manifest(server, content, b"payload"), "artifactType": kind}
    serve_api(server, entry)
    (found,) = collect(server).items
    assert (found.source, found.media_type, dict(found.annotations)) == (
        AttachmentSource.REFERRER, SIMPLE_SIGNING, {"n": "1"},
    )  # fmt: skip


def failed_entry(server: HostileRegistry, *, listed_as: str = FAILED_VERDICT) -> dict[str, JsonValue]:
    return {**bundle(server, b"failed", media_type=FAILED_VERDICT), "artifactType": listed_as}


@pytest.mark.parametrize("listed_as", [FAILED_VERDICT, "", "application/vnd.oci.empty.v1+json", OCI_CONFIG])
@pytest.mark.parametrize("serve", [serve_api, serve_tag])
def test_y04_a_listed_failed_verdict_whose_manifest_is_not_there_is_an_error(
    server: HostileRegistry, serve: Callable[..., None], listed_as: str
) -> None:
    entry = failed_entry(server, listed_as=listed_as)
    serve(server, entry, bundle(server, b"one"))
    assert len(collect(server).items) == 2
    server.serve(f"{BASE}/manifests/{entry['digest']}", b"", status=404)
    assert code_of(server) == "REG_WITHHELD"


@pytest.mark.parametrize("blob", [(b"", 404), (b"fail", 200), (b"failed and more", 200), (b"FAILED", 200)])
def test_y04_a_failed_verdict_whose_content_is_not_there_is_an_error(
    server: HostileRegistry, blob: tuple[bytes, int]
) -> None:
    serve_api(server, failed_entry(server), bundle(server, b"one"))
    server.serve(f"{BASE}/blobs/{Digest.of(b'failed')}", blob[0], status=blob[1])
    assert code_of(server) in {"REG_WITHHELD", "REG_DIGEST_MISMATCH"}


@pytest.mark.parametrize("served_as", ["text/plain", "application/octet-stream", OCI_INDEX, "application/json"])
def test_y04_a_manifest_is_read_whatever_it_is_served_as(server: HostileRegistry, served_as: str) -> None:
    entry = failed_entry(server)
    serve_api(server, entry)
    manifest = attachment_manifest(IMAGE.descriptor, b"failed", media_type=FAILED_VERDICT)
    server.serve(f"{BASE}/manifests/{entry['digest']}", manifest, {"Content-Type": served_as})
    assert [item.media_type for item in collect(server).items] == [FAILED_VERDICT]


def test_y04_a_web_page_in_place_of_a_manifest_is_an_error(server: HostileRegistry) -> None:
    entry = failed_entry(server)
    serve_api(server, entry)
    server.serve(f"{BASE}/manifests/{entry['digest']}", b"<html>", {"Content-Type": "text/html"})
    assert code_of(server) == "REG_MALFORMED"


def test_y04_what_is_missing_and_can_be_no_failed_verdict_is_counted(server: HostileRegistry) -> None:
    gone = [{**described(kind.encode(), OCI_MANIFEST), "artifactType": kind} for kind in (BUNDLE_V03, "application/x")]
    serve_api(server, *gone, bundle(server, b"one"))
    found = collect(server)
    assert [item.content for item in found.items] == [b"one"]
    assert dict(found.ignored) == {"missing": 1, "application/x": 1}


def test_what_is_no_signature_by_its_type_is_not_fetched(server: HostileRegistry) -> None:
    bom = serve_manifest(server, attachment_manifest(IMAGE.descriptor, b"x", media_type="application/spdx+json"))
    serve_api(server, {**bom, "artifactType": "application/spdx+json"}, bundle(server, b"one"))
    found = collect(server)
    assert ([item.content for item in found.items], dict(found.ignored)) == ([b"one"], {"application/spdx+json": 1})
    assert server.asked("GET", f"{BASE}/manifests/{bom['digest']}") == []


def test_the_callers_executor_runs_the_requests(server: HostileRegistry) -> None:
    serve_api(server, bundle(server, b"one"), bundle(server, b"two"))
    options = RegistryOptions(stall_seconds=2, request_seconds=5, first_pause_seconds=0.001)
    names: set[str] = set()
    with (
        ThreadPoolExecutor(max_workers=2, thread_name_prefix="mine") as pool,
        RegistryClient(options, Deadline.after(timedelta(seconds=60))) as client,
    ):
        source = RegistrySource(client, parse_repository(f"{server.host}/shop/web"), IMAGE.digest)
        fetch = source.by_digest

        def noted(digest: Digest) -> FetchedManifest | None:
            names.add(threading.current_thread().name)
            return fetch(digest)

        source.by_digest = noted  # type: ignore[method-assign]
        assert len(collect_attachments(source, IMAGE.digest, pool).items) == 2
    assert names
    assert all(name.startswith("mine") for name in names)


def test_d03_other_bytes_are_an_error(server: HostileRegistry) -> None:
    entry = bundle(server, b"one")
    serve_api(server, entry)
    assert len(collect(server).items) == 1
    server.serve(f"{BASE}/blobs/{Digest.of(b'one')}", b"two")
    assert code_of(server) == "REG_DIGEST_MISMATCH"
    server.serve(f"{BASE}/manifests/{entry['digest']}", b"{}", {"Content-Type": OCI_MANIFEST})
    assert code_of(server) == "REG_DIGEST_MISMATCH"


def test_what_cannot_be_asked_is_an_error(server: HostileRegistry) -> None:
    serve_api(server, bundle(server, b"one"))
    server.serve(f"{BASE}/manifests/sha256-{IMAGE.digest.hex}.att", b"", status=503)
    assert code_of(server) == "REG_ERROR"


def test_s23_thousands_of_attachments(server: HostileRegistry) -> None:
    serve_api(server, *(described(b"%d" % number, OCI_MANIFEST) for number in range(5000)), bundle(server, b"good"))
    assert code_of(server) == "LIMIT_SIGNATURES"
    assert len(server.requests) < 5, "nothing was fetched before it was refused"


def test_what_is_removed_is_looked_for_among_more_than_are_looked_at(server: HostileRegistry) -> None:
    blobs = [b"%d" % number for number in range(2100)]
    serve_api(server, *(bundle(server, blob) for blob in blobs))
    assert code_of(server) == "LIMIT_SIGNATURES"
    with RegistryClient(RegistryOptions(), Deadline.after(timedelta(seconds=60))) as client:
        source = RegistrySource(client, parse_repository(f"{server.host}/shop/web"), IMAGE.digest).unlimited()
        pages = [[item.content for item in page.items] for page in attachment_pages(source, IMAGE.digest)]
    assert max(map(len, pages)) <= 200
    assert sorted(content for page in pages for content in page) == sorted(blobs)


def test_s23_thousands_of_tags_of_their_own(server: HostileRegistry) -> None:
    server.serve(f"{BASE}/referrers/{IMAGE.digest}", b"", status=404)
    tags: list[JsonValue] = [single_tag(IMAGE.digest, Digest.of(b"%d" % number)) for number in range(2001)]
    server.serve(f"{BASE}/tags/list", canonical_json({"name": "shop/web", "tags": tags}))
    assert code_of(server) == "LIMIT_SIGNATURES"
    assert len(server.requests) < 6, "nothing was fetched before it was refused"


def test_s23_thousands_of_legacy_layers(server: HostileRegistry) -> None:
    blobs = [b"%d" % number for number in range(2001)]
    serve_legacy(server, ".sig", [SIMPLE_SIGNING] * 2001, *blobs)
    assert code_of(server) == "LIMIT_SIGNATURES"
    serve_legacy(server, ".sig", [SIMPLE_SIGNING] * 20, *blobs[:20])
    assert [item.content for item in collect(server).items] == blobs[:20]


def test_s24_a_giant_attachment_is_not_asked_for(server: HostileRegistry) -> None:
    manifest = attachment_manifest(IMAGE.descriptor, b"x", media_type=BUNDLE_V03)
    giant = manifest.replace(b'"size":1}', b'"size":%d}' % (MAX_ATTACHMENT_BYTES + 1))
    assert giant != manifest
    serve_api(server, serve_manifest(server, giant, b"x"))
    assert code_of(server) == "LIMIT_BLOB"
    assert server.asked("GET", f"{BASE}/blobs/{Digest.of(b'x')}") == []


def test_s23_many_large_ones(server: HostileRegistry) -> None:
    entries = []
    for number in range(17):
        blob = b"%d" % number
        manifest = attachment_manifest(IMAGE.descriptor, blob, media_type=BUNDLE_V03)
        size = b'"size":%d}' % len(blob)
        large = manifest.replace(size, b'"size":%d}' % MAX_ATTACHMENT_BYTES)
        entries.append(serve_manifest(server, large, blob))
    serve_api(server, *entries)
    assert code_of(server) == "LIMIT_SIGNATURES"


def test_a_descriptor_that_lies_is_no_attachment(server: HostileRegistry) -> None:
    manifest = attachment_manifest(IMAGE.descriptor, b"x", media_type=BUNDLE_V03)
    serve_api(server, serve_manifest(server, manifest.replace(b'"size":1}', b'"size":2}'), b"x"))
    found = collect(server)
    assert (found.items, found.ignored) == ((), (("malformed", 1),))
