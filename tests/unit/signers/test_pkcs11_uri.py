"""Key URIs of hardware modules: RFC 7512, and what is refused of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gate.errors import KeyFileError
from gate.signers.pkcs11_uri import parse_pkcs11_uri

MODULE = "?module-path=/usr/lib/module.so"


def test_a_whole_uri_is_read_with_its_escapes() -> None:
    name = parse_pkcs11_uri(
        "pkcs11:token=The%20Software%20token;serial=6f4;id=%01%FF;object=my-key;type=private"
        "?module-path=/usr/lib/module.so&pin-source=file:/run/secrets/pin"
    )
    assert (name.token, name.serial, name.label, name.key_id) == ("The Software token", b"6f4", "my-key", b"\x01\xff")
    assert (name.module, name.pin_file) == (Path("/usr/lib/module.so"), Path("/run/secrets/pin"))


@pytest.mark.parametrize("source", ["file:/run/pin", "file:///run/pin", "/run/pin", "file%3A%2Frun%2Fpin"])
def test_each_way_to_name_the_pin_file(source: str) -> None:
    assert parse_pkcs11_uri(f"pkcs11:token=t;object=k{MODULE}&pin-source={source}").pin_file == Path("/run/pin")


def test_a_key_may_be_named_by_its_id_alone() -> None:
    name = parse_pkcs11_uri(f"pkcs11:serial=1;id=%2A{MODULE}")
    assert (name.token, name.label, name.key_id, name.pin_file) == ("", "", b"*", None)


@pytest.mark.parametrize(
    ("uri", "word"),
    [
        ("pkcs11:", "token"),
        (f"pkcs11:object=k{MODULE}", "token"),
        (f"pkcs11:token=t{MODULE}", "object"),
        ("pkcs11:token=t;object=k", "module-path"),
        ("pkcs11:token=t;object=k?module-path=module.so", "absolute"),
        ("pkcs11:token=t;object=k?module-path=/m%00.so", "absolute"),
        (f"pkcs11:token=t;token=u;object=k{MODULE}", "at most once"),
        (f"pkcs11:token=t;object=k;colour=red{MODULE}", "no others"),
        (f"pkcs11:token=t;object=k;slot-id=1{MODULE}", "slot-id"),
        (f"pkcs11:token=t;object=k;type=public{MODULE}", "type=private"),
        (f"pkcs11:token=t;object=k%2{MODULE}", "percent"),
        (f"pkcs11:token=t;object=k k{MODULE}", "percent"),
        (f"pkcs11:token=t;object=%FF{MODULE}", "UTF-8"),
        (f"pkcs11:token=t;object=k{MODULE}&pin-source=%7C/bin/pin", "absolute"),
        (f"pkcs11:token=t;object=k{MODULE}&pin-source=file://host/pin", "absolute"),
        (f"pkcs11:token=t;object=k{MODULE}&module-name=p11-kit", "module-name"),
        (f"pkcs11:token=t;object={'k' * 5000}{MODULE}", "4096"),
        ("pkcs12:token=t", "4096"),
    ],
)
def test_what_names_no_single_key_is_refused(uri: str, word: str) -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_pkcs11_uri(uri)
    assert refused.value.code == "KEY_URI"
    assert word in str(refused.value)


def test_a_pin_in_the_uri_is_refused_and_not_repeated() -> None:
    with pytest.raises(KeyFileError) as refused:
        parse_pkcs11_uri(f"pkcs11:token=t;object=k{MODULE}&pin-value=271828")
    assert refused.value.code == "KEY_URI"
    assert "pin-source" in refused.value.expected
    assert "271828" not in repr(vars(refused.value))
