"""Secrets in annotations of the manifest, its descriptors and the index (attack X02)."""

from __future__ import annotations

import dataclasses

import pytest

from gate.collectors.configuration_secrets import collect_configuration_secrets
from gate.model.digest import Digest
from gate.model.finding import SecretPlace
from gate.model.image import (
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    ImageConfig,
    ImageIndex,
    ImageManifest,
    Platform,
)
from gate.model.string_map import StringMap
from gate.secrets.configuration import RULES_DIGEST

KEY = bytes(range(32))
CONFIG = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=())
PLACES = ["manifest", "config", "layer", "index", "child"]


def collected(place: str) -> tuple[tuple[SecretPlace, str], ...]:
    secret = StringMap.of({"shop.password": "hunter22", "other": "x"})

    def at(name: str) -> StringMap:
        return secret if name == place else StringMap()

    plain = Descriptor(media_type=OCI_CONFIG, digest=Digest.of(b""), size=0)
    manifest = ImageManifest(
        media_type=OCI_MANIFEST,
        config=dataclasses.replace(plain, annotations=at("config")),
        layers=(dataclasses.replace(plain, annotations=at("layer")),),
        annotations=at("manifest"),
    )
    child = dataclasses.replace(plain, annotations=at("child"))
    index = ImageIndex(media_type=OCI_INDEX, manifests=(child,), annotations=at("index"))
    evidence = collect_configuration_secrets(CONFIG, manifest, KEY, index=index)
    assert evidence.rules_digest == RULES_DIGEST
    return tuple((one.place, one.location) for one in evidence.findings)


@pytest.mark.parametrize("place", PLACES)
def test_x02_annotations_wherever_they_stand(place: str) -> None:
    assert collected(place) == ((SecretPlace.ANNOTATION, "shop.password"),)


def test_without_secrets_nothing_is_found() -> None:
    assert collected("nowhere") == ()
