"""The harvest of keys that packages ship: what is certain, once, and nothing that the list has."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools.known_samples import certain_values, fetch, merged


def archive(folder: Path, *contents: bytes) -> Path:
    path = folder / "package-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for number, content in enumerate(contents):
            (folder / "file").write_bytes(content)
            tar.add(folder / "file", f"test/{number}.pem")
    return path


def test_a_key_is_listed_once_and_what_is_only_likely_is_not(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    found = list(certain_values(archive(tmp_path, key, key, b"password = Tr0ub4dor-and-3\n", b"nothing")))
    assert [hit.rule for hit in found] == ["private-key"]


def test_the_file_of_samples_holds_each_digest_once_by_package() -> None:
    first = merged("", ["b 2026-01-01 deb z", "a 2026-01-01 deb b"])
    assert first.splitlines()[-2:] == ["a 2026-01-01 deb b", "b 2026-01-01 deb z"]
    again = merged(first, ["b 2026-02-02 npm a", "c 2026-02-02 npm a"])
    assert again.splitlines()[-3:] == ["a 2026-01-01 deb b", "b 2026-01-01 deb z", "c 2026-02-02 npm a"]
    assert merged(again, []) == again


def test_a_source_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="expected deb:NAME"):
        fetch("gem:rails", tmp_path)
