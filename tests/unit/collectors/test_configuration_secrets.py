"""Secrets in annotations of the manifest, its descriptors and the index (attack X02)."""

from __future__ import annotations

import pytest

from gate.collectors.configuration_secrets import collect_configuration_secrets
from gate.collectors.secret_rules import load_rule_set
from gate.model.finding import SecretPlace
from gate.model.image import Platform
from gate.model.image_config import ImageConfig
from gate.model.string_map import StringMap
from gate.secrets.findings import Fingerprints

KEY = bytes(range(32))
RULES = load_rule_set((), None)
CONFIG = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=())
PLACES = ["manifest", "descriptor", "index"]


def collected(place: str) -> tuple[tuple[SecretPlace, str], ...]:
    secret = StringMap.of({"shop.password": "hunter22", "other": "x"})
    manifest, descriptor, index = (secret if name == place else StringMap() for name in PLACES)
    evidence = collect_configuration_secrets(CONFIG, manifest, RULES, Fingerprints(KEY), others=[descriptor, index])
    assert evidence.rules_digest == RULES.digest
    return tuple((one.place, one.location) for one in evidence.findings)


@pytest.mark.parametrize("place", PLACES)
def test_x02_annotations_wherever_they_stand(place: str) -> None:
    assert collected(place) == ((SecretPlace.ANNOTATION, "shop.password"),)


def test_without_secrets_nothing_is_found() -> None:
    assert collected("nowhere") == ()
