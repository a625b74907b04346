"""A good signature that is changed anywhere is refused, or says the very same by the very same signer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given

from gate.codec.attachments import parse_attachment
from gate.codec.legacy import render_simple_signing
from gate.codec.statement import render_cosign_statement
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError, GateError, RefusedError
from gate.model.attachment import Attachment
from gate.model.evidence_demand import EvidenceDemand
from gate.model.identity import Identity, Matcher
from gate.model.policy_signers import KeylessSigner, KeySigner, Signer
from gate.model.string_map import StringMap
from gate.model.trust import Trust
from gate.verification.signature import VerifiedSignature, verify_image_signature
from tests.support.fuzzing import examples, mutations
from tests.support.signing import (
    GATE,
    IMAGE,
    NOW,
    REPOSITORY,
    STRANGER,
    bundle_attachment,
    image_bundle,
    image_tag_layer,
)
from tests.support.virtual_sigstore import ISSUER, SUBJECT, VirtualSigstore

SIGSTORE = VirtualSigstore()
ROOT = parse_trusted_root(SIGSTORE.trusted_root())
PAYLOAD = render_cosign_statement(IMAGE, {})
SIMPLE = render_simple_signing(REPOSITORY, IMAGE, {})
BY_KEY = KeySigner(key=GATE.public_key)
IDENTITY = Identity(subject=Matcher(text=SUBJECT), issuer=Matcher(text=ISSUER))
BY_IDENTITY = KeylessSigner(identity=IDENTITY, trust=Trust(name="test", root=ROOT))
BY_STAMP = KeylessSigner(
    identity=IDENTITY, trust=Trust(name="test", root=ROOT, demand=EvidenceDemand(logs=1, timestamps=1))
)


@dataclass(frozen=True, slots=True)
class Good:
    """An attachment that verifies by this signer."""

    attachment: Attachment
    signer: Signer


GOOD = {
    "key": Good(image_bundle(), BY_KEY),
    "key, legacy": Good(image_tag_layer(), BY_KEY),
    "log 1": Good(SIGSTORE.log1(SIGSTORE.sign_statement(PAYLOAD)).attachment(), BY_IDENTITY),
    "log 2": Good(SIGSTORE.stamp(SIGSTORE.log2(SIGSTORE.sign_statement(PAYLOAD))).attachment(), BY_STAMP),
    "identity, legacy": Good(SIGSTORE.legacy_signature(SIMPLE), BY_IDENTITY),
}


def verified(good: Good, attachment: Attachment) -> VerifiedSignature:
    return verify_image_signature(parse_attachment(attachment), signer=good.signer, expected=IMAGE, now=NOW)


def judged(good: Good, attachment: Attachment) -> None:
    """Verify what was changed: it is refused with a declared error, or it is the same signature."""
    whole = verified(good, good.attachment)
    try:
        found = verified(good, attachment)
    except (RefusedError, EvidenceError):
        return
    assert (found.payload, found.key, found.identity) == (whole.payload, whole.key, whole.identity)
    assert (found.annotations, found.docker_reference) == (whole.annotations, whole.docker_reference)
    # A promise that was cut away leaves fewer times, never another one.
    assert set(found.times) <= set(whole.times)
    assert found.times or not whole.times


def exhausting(good: Good, remade: Callable[[bytes], Attachment], original: bytes) -> None:
    @examples(120)
    @given(mutations(original))
    def changing(data: bytes) -> None:
        judged(good, remade(data))

    changing()


@pytest.mark.parametrize("name", GOOD)
def test_the_good_ones_verify_and_a_change_of_what_is_signed_does_not(name: str) -> None:
    good = GOOD[name]
    assert verified(good, good.attachment).payload
    with pytest.raises(GateError):
        verify_image_signature(
            parse_attachment(good.attachment), signer=KeySigner(key=STRANGER.public_key), expected=IMAGE, now=NOW
        )


@pytest.mark.parametrize("name", ["key", "log 1", "log 2"])
def test_a_changed_bundle_is_refused_or_the_same(name: str) -> None:
    exhausting(GOOD[name], bundle_attachment, GOOD[name].attachment.content)


@pytest.mark.parametrize("name", ["key, legacy", "identity, legacy"])
def test_a_changed_payload_of_a_tag_is_refused_or_the_same(name: str) -> None:
    good = GOOD[name]
    exhausting(good, lambda data: with_content(good.attachment, data), good.attachment.content)


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        (name, annotation)
        for name in ("key, legacy", "identity, legacy")
        for annotation in GOOD[name].attachment.annotations
    ],
)
def test_a_changed_annotation_of_a_tag_is_refused_or_the_same(name: str, annotation: str) -> None:
    good = GOOD[name]
    original = good.attachment.annotations[annotation].encode()

    @examples(60)
    @given(mutations(original))
    def changing(data: bytes) -> None:
        judged(good, with_annotation(good.attachment, annotation, data.decode("utf-8", "replace")))

    changing()


def with_content(attachment: Attachment, content: bytes) -> Attachment:
    return Attachment(
        source=attachment.source,
        media_type=attachment.media_type,
        content=content,
        annotations=attachment.annotations,
    )


def with_annotation(attachment: Attachment, name: str, text: str) -> Attachment:
    return Attachment(
        source=attachment.source,
        media_type=attachment.media_type,
        content=attachment.content,
        annotations=StringMap.of({**attachment.annotations, name: text}),
    )
