"""Labels of modules that a package's release does not bear out are told from honest ones, in both scanners' words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gate.codec.purl import package_key
from gate.model.finding import Package
from gate.scanners.lookups import mislabelled

MODULAR = "1.14.1-9.module%2Bel8.4.0%2B542%2B1234"


@pytest.mark.parametrize("module", ["a:b:1:c", "a:b"])
@pytest.mark.parametrize(("version", "told"), [("3.0.7-27.el9", True), (MODULAR, False)])
def test_a_label_without_a_modular_release_is_told(module: str, version: str, told: bool) -> None:  # noqa: FBT001
    key = package_key(f"pkg:rpm/rocky/openssl@{version}?arch=x86_64")
    package = Package(key=key, name=key.name, version=key.version, module=module)
    assert bool(mislabelled((package,))) is told
    assert mislabelled((replace(package, module=""),)) == frozenset()
