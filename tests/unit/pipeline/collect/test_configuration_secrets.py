"""Secrets in annotations of the manifest, its descriptors and the index (attack X02)."""

from __future__ import annotations

import base64

import pytest

from gate.codec.oci_config import parse_config
from gate.codec.strict_json import JsonValue, canonical_json
from gate.model.finding import SecretPlace
from gate.model.image import Platform
from gate.model.image_config import ImageConfig
from gate.model.string_map import StringMap
from gate.pipeline.collect.configuration_secrets import collect_configuration_secrets
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.findings import Fingerprints

KEY = bytes(range(32))
RULES = load_rule_set((), None)
CONFIG = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=())
# What BuildKit before 0.11 kept in the configuration itself.
INFO = base64.b64encode(
    b'{"frontend":"dockerfile.v0","attrs":{"build-arg:DB_PASSWORD":"hunter22x9","filename":"Dockerfile"},"sources":[]}'
).decode()
PLACES = ["manifest", "descriptor", "index"]


def collected(place: str) -> tuple[tuple[SecretPlace, str], ...]:
    secret = StringMap.of({"shop.password": "hunter22", "other": "x"})
    manifest, descriptor, index = (secret if name == place else StringMap() for name in PLACES)
    evidence = collect_configuration_secrets(
        CONFIG, b"{}", manifest, RULES, Fingerprints(KEY), others=[descriptor, index]
    )
    assert evidence.rules_digest == RULES.digest
    return tuple((one.place, one.location) for one in evidence.findings)


@pytest.mark.parametrize("place", PLACES)
def test_x02_annotations_wherever_they_stand(place: str) -> None:
    assert collected(place) == ((SecretPlace.ANNOTATION, "shop.password"),)


def of_document(document: dict[str, JsonValue]) -> list[tuple[SecretPlace, str, tuple[str, ...]]]:
    content = canonical_json(document)
    evidence = collect_configuration_secrets(parse_config(content), content, StringMap(), RULES, Fingerprints(KEY))
    return [(one.place, one.location, one.chain) for one in evidence.findings]


def document(**fields: JsonValue) -> dict[str, JsonValue]:
    base: dict[str, JsonValue] = {"architecture": "amd64", "os": "linux", "config": {}}
    return {**base, "rootfs": {"type": "layers", "diff_ids": []}, **fields}


@pytest.mark.parametrize(
    ("field", "value", "chain"),
    [
        ("author", "me, postgres://shop:k7Qz93vxT@db.corp.net/shop", ()),
        ("moby.buildkit.buildinfo.v1", INFO, ("base64",)),
        ("container_config", {"Env": ["DB_PASSWORD=hunter22x9"]}, ()),
        ("config", {"Volumes": {"/run?password=hunter22x9": {}}, "X-Token": "k7Qz93vxT2mN"}, ()),
    ],
)
def test_x02_in_any_other_field_of_the_configuration(field: str, value: JsonValue, chain: tuple[str, ...]) -> None:
    assert (SecretPlace.CONFIG, "configuration", chain) in of_document(document(**{field: value}))


def test_what_is_read_by_itself_is_told_once() -> None:
    env: JsonValue = ["DB_PASSWORD=hunter22x9"]
    assert of_document(document(config={"Env": env}, container_config={"Env": env})) == [
        (SecretPlace.ENV, "DB_PASSWORD", ())
    ]
    assert of_document(document(docker_version="20.10.7", container="0" * 64, variant="v8")) == []


def test_without_secrets_nothing_is_found() -> None:
    assert collected("nowhere") == ()
