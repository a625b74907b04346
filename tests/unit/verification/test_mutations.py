"""A good signature or verdict, changed anywhere, is never accepted as saying something else, and never ends in a traceback."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gate.codec.vsa import render_summary
from gate.errors import GateError
from gate.model.attachment import Attachment
from gate.model.glob import Glob
from gate.model.policy_signers import KeySigner, SignatureRule
from gate.model.string_map import StringMap
from gate.verification.match import match_signatures
from tests.support.signing import (
    GATE,
    NOW,
    attached,
    bundle_attachment,
    demand,
    demand_verdict,
    image_bundle,
    image_tag_layer,
    signed,
    summary,
    verdict,
)

RULE = SignatureRule(images=Glob("**"), any_of=(KeySigner(key=GATE.public_key),))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here] + [path for key, item in items for path in paths(item, (*here, key))]


def changed(value: Any, path: tuple[Any, ...], new: object) -> Any:  # noqa: ANN401 - any JSON
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


GOOD_BUNDLE = json.loads(image_bundle().content)
GOOD_VERDICT = json.loads(verdict().content)


def flipped(data: bytes, position: int, bit: int) -> bytes:
    place = position % len(data)
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


def meaning(item: Attachment) -> Any:  # noqa: ANN401 - any JSON
    """Return what verification reads of a bundle: all of it but the hint."""
    fields = json.loads(item.content)
    fields["verificationMaterial"]["publicKey"] = {}
    return fields


@given(path=st.sampled_from(paths(GOOD_BUNDLE)), new=JSON)
def test_an_image_signature_with_another_field_is_refused(path: tuple[Any, ...], new: object) -> None:
    item = bundle_attachment(json.dumps(changed(GOOD_BUNDLE, path, new)).encode())
    try:
        match_signatures(attached(item), RULE, NOW)
    except GateError:
        return
    assert meaning(item) == meaning(image_bundle())


@given(path=st.sampled_from(paths(GOOD_VERDICT)), new=JSON)
def test_a_verdict_with_another_field_is_refused(path: tuple[Any, ...], new: object) -> None:
    item = bundle_attachment(json.dumps(changed(GOOD_VERDICT, path, new)).encode())
    try:
        demand_verdict(attached(item), demand(), NOW)
    except GateError:
        return
    assert meaning(item) == meaning(verdict())


@given(position=st.integers(0, 5000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_bundle_changes_nothing_that_counts_or_refuses(position: int, bit: int) -> None:
    item = bundle_attachment(flipped(verdict().content, position, bit))
    try:
        found = demand_verdict(attached(item), demand(), NOW)
    except GateError:
        return
    assert found.summary == summary()
    assert found.signature.payload == render_summary(summary())


@given(position=st.integers(0, 5000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_signed_payload_refuses(position: int, bit: int) -> None:
    fields = json.loads(verdict().content)
    payload = flipped(render_summary(summary()), position, bit)
    fields["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(GateError):
        demand_verdict(attached(bundle_attachment(json.dumps(fields).encode())), demand(), NOW)


@given(position=st.integers(0, 1000), bit=st.integers(0, 7))
def test_a_flipped_bit_of_a_legacy_layer_refuses(position: int, bit: int) -> None:
    good = image_tag_layer()
    match_signatures(attached(good), RULE, NOW)
    with pytest.raises(GateError):
        match_signatures(attached(dataclasses.replace(good, content=flipped(good.content, position, bit))), RULE, NOW)


@given(text=st.text(max_size=200), name=st.sampled_from(["signature", "certificate", "chain", "bundle"]))
def test_any_text_in_an_annotation_is_refused_or_ignored(text: str, name: str) -> None:
    prefix = "dev.cosignproject.cosign" if name == "signature" else "dev.sigstore.cosign"
    good = image_tag_layer()
    annotations = StringMap.of({**good.annotations, f"{prefix}/{name}": text})
    try:
        match_signatures(attached(dataclasses.replace(good, annotations=annotations)), RULE, NOW)
    except GateError:
        return
    assert text == "" or text == good.annotations[f"{prefix}/{name}"] or (name != "signature" and not text.strip())


@settings(max_examples=300)
@given(content=st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_refused_with_a_declared_error(content: bytes) -> None:
    for item in (
        bundle_attachment(content),
        dataclasses.replace(image_tag_layer(), content=content),
        dataclasses.replace(bundle_attachment(content), media_type="application/vnd.dsse.envelope.v1+json"),
    ):
        with pytest.raises(GateError):
            match_signatures(attached(item), RULE, NOW)
        with pytest.raises(GateError):
            demand_verdict(attached(item), demand(), NOW)


@given(payload=st.binary(max_size=400) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_signed_payload_is_refused_with_a_declared_error(payload: bytes) -> None:
    with pytest.raises(GateError):
        demand_verdict(attached(signed(payload)), demand(), NOW)
