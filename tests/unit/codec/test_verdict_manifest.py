"""The manifests that carry signatures and verdicts, byte for byte."""

from __future__ import annotations

import json

import pytest

from gate.codec.dsse import IN_TOTO_PAYLOAD, parse_envelope
from gate.codec.verdict_manifest import (
    EMPTY_CONFIG,
    LegacyLayer,
    LegacyManifest,
    append_legacy_layer,
    attestation_layer,
    render_referrer_manifest,
    signature_layer,
)
from gate.errors import RegistryError
from gate.model.attachment import BUNDLE_V03, FAILED_VERDICT
from gate.model.digest import Digest
from gate.model.image import OCI_MANIFEST, Descriptor
from gate.model.statement import VERIFICATION_SUMMARY
from tests.support.signing import IMAGE, NOW, envelope

SUBJECT = Descriptor(media_type=OCI_MANIFEST, digest=IMAGE, size=401)


@pytest.mark.parametrize(("failed", "kind"), [(False, BUNDLE_V03), (True, FAILED_VERDICT)])
def test_a_referrer_manifest_is_that_of_the_format_reference(kind: str, *, failed: bool) -> None:
    """Formats reference, sections 5, 10.6 rule 1 and 12.2."""
    data = render_referrer_manifest(
        b"bundle", subject=SUBJECT, predicate_type=VERIFICATION_SUMMARY, created=NOW, failed=failed
    )
    assert data.decode() == (
        '{"annotations":{"dev.sigstore.bundle.content":"dsse-envelope",'
        '"dev.sigstore.bundle.predicateType":"https://slsa.dev/verification_summary/v1",'
        '"org.opencontainers.image.created":"2026-03-01T12:00:00Z"},'
        f'"artifactType":"{kind}",'
        '"config":{"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",'
        '"mediaType":"application/vnd.oci.empty.v1+json","size":2},'
        f'"layers":[{{"digest":"{Digest.of(b"bundle")}","mediaType":"{kind}","size":6}}],'
        '"mediaType":"application/vnd.oci.image.manifest.v1+json","schemaVersion":2,'
        f'"subject":{{"digest":"{IMAGE}","mediaType":"application/vnd.oci.image.manifest.v1+json","size":401}}}}'
    )
    assert Digest.of(EMPTY_CONFIG).text in data.decode()


def test_a_legacy_tag_starts_in_cosigns_form() -> None:
    layer = signature_layer(b"payload", b"signature")
    made = append_legacy_layer(layer)
    digest = Digest.of(b"payload")
    assert json.loads(made.manifest) == {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": str(Digest.of(made.config)),
            "size": len(made.config),
        },
        "layers": [
            {
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
                "digest": str(digest),
                "size": 7,
                "annotations": {"dev.cosignproject.cosign/signature": "c2lnbmF0dXJl"},
            }
        ],
    }
    assert json.loads(made.config)["rootfs"] == {"type": "layers", "diff_ids": [str(digest)]}


def test_layers_of_others_stay_as_they_are() -> None:
    first = append_legacy_layer(signature_layer(b"theirs", b"s"))
    fields = json.loads(first.manifest)
    fields["layers"][0] |= {"urls": ["https://example.com"], "annotations": {"a": "b"}}
    foreign = LegacyManifest(manifest=json.dumps(fields).encode(), config=first.config)
    made = append_legacy_layer(signature_layer(b"ours", b"s"), existing=foreign)
    layers = json.loads(made.manifest)["layers"]
    assert layers[0] == fields["layers"][0]
    assert [layer["digest"] for layer in layers] == json.loads(made.config)["rootfs"]["diff_ids"]


def test_the_same_layer_is_not_appended_twice() -> None:
    layer = signature_layer(b"payload", b"signature")
    made = append_legacy_layer(layer)
    assert append_legacy_layer(layer, existing=made) is made
    other = append_legacy_layer(signature_layer(b"payload", b"another"), existing=made)
    assert len(json.loads(other.manifest)["layers"]) == 2


def test_an_attestation_layer_is_the_whole_envelope() -> None:
    signed = envelope(b"{}", IN_TOTO_PAYLOAD)
    layer = attestation_layer(signed, VERIFICATION_SUMMARY)
    assert parse_envelope(layer.content) == signed
    assert layer.annotations == {
        "dev.cosignproject.cosign/signature": "",
        "predicateType": VERIFICATION_SUMMARY,
    }


def grown(count: int) -> LegacyManifest:
    made = append_legacy_layer(signature_layer(b"0", b"s"))
    fields, config = json.loads(made.manifest), json.loads(made.config)
    fields["layers"] *= count
    config["rootfs"]["diff_ids"] *= count
    return LegacyManifest(manifest=json.dumps(fields).encode(), config=json.dumps(config).encode())


def test_a_full_or_foreign_tag_is_left_alone() -> None:
    layer: LegacyLayer = signature_layer(b"ours", b"s")
    assert len(json.loads(append_legacy_layer(layer, existing=grown(499)).manifest)["layers"]) == 500
    out_of_step = LegacyManifest(manifest=grown(2).manifest, config=grown(3).config)
    for existing in (grown(500), out_of_step, LegacyManifest(manifest=b"[]", config=b"{}")):
        with pytest.raises(RegistryError) as refused:
            append_legacy_layer(layer, existing=existing)
        assert refused.value.code == "REG_MALFORMED"
