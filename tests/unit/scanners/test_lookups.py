"""Labels of modules that a package's release does not bear out are told from honest ones, in both scanners' words."""

from __future__ import annotations

import pytest

from gate.codec.purl import package_key
from gate.model.finding import Package
from gate.scanners.lookups import mislabelled

MODULAR = "1.14.1-9.module%2Bel8.4.0%2B542%2B1234"


@pytest.mark.parametrize("qualifier", ["modularitylabel=a:b:1:c", "rpmmod=a:b:1:c"])
@pytest.mark.parametrize(("version", "told"), [("3.0.7-27.el9", True), (MODULAR, False)])
def test_a_label_without_a_modular_release_is_told(qualifier: str, version: str, told: bool) -> None:  # noqa: FBT001
    purl = f"pkg:rpm/rocky/openssl@{version}?arch=x86_64&{qualifier}"
    key = package_key(purl)
    found = mislabelled((Package(key=key, name=key.name, version=key.version, purl=purl),))
    assert bool(found) is told
    plain = purl.partition("&")[0]
    assert mislabelled((Package(key=key, name=key.name, version=key.version, purl=plain),)) == frozenset()
