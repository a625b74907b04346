"""Package keys: what the two scanners print for one package becomes one key."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packageurl import PackageURL

from gate.codec.purl import MAX_PURL_CHARACTERS, key_of, package_key
from gate.errors import ScannerError
from gate.model.finding import PackageKey

SAME = [
    (
        "pkg:deb/debian/zlib1g@1.2.13.dfsg-1?arch=amd64&distro=debian-12.15&epoch=1",
        "pkg:deb/debian/zlib1g@1%3A1.2.13.dfsg-1?arch=amd64&distro=debian-12&upstream=zlib",
        PackageKey("deb", "", "zlib1g", "1:1.2.13.dfsg-1", arch="amd64"),
    ),
    (
        "pkg:rpm/rocky/openssl-libs@3.0.7-27.el9?arch=x86_64&distro=rocky-9.4&epoch=1",
        "pkg:rpm/rocky/openssl-libs@3.0.7-27.el9?arch=x86_64&epoch=1&distro=rocky-9.4&upstream=openssl-3.0.7-27.el9.src.rpm",
        PackageKey("rpm", "", "openssl-libs", "1:3.0.7-27.el9", arch="x86_64"),
    ),
    (
        "pkg:rpm/alma/bash@5.1.8-9.el9?arch=x86_64",
        "pkg:rpm/almalinux/bash@5.1.8-9.el9?arch=x86_64&epoch=0",
        PackageKey("rpm", "", "bash", "5.1.8-9.el9", arch="x86_64"),
    ),
    (
        "pkg:apk/alpine/musl@1.2.3-r0?arch=x86_64&distro=3.20.1",
        "pkg:apk/alpine/musl@1.2.3-r0?arch=x86_64&distro=alpine-3.20.1",
        PackageKey("apk", "", "musl", "1.2.3-r0", arch="x86_64"),
    ),
    ("pkg:pypi/zope.interface@6.0", "pkg:pypi/Zope_Interface@6.0", PackageKey("pypi", "", "zope-interface", "6.0")),
    ("pkg:npm/%40scope/pkg@1.0.0", "pkg:npm/%40Scope/Pkg@1.0.0", PackageKey("npm", "@scope", "pkg", "1.0.0")),
    (
        "pkg:golang/github.com/docker/cli@29.7.2+incompatible",
        "pkg:golang/github.com/Docker/cli@v29.7.2%2Bincompatible#sub/dir",
        PackageKey("golang", "github.com/docker", "cli", "29.7.2+incompatible"),
    ),
    ("pkg:golang/stdlib@1.26.8", "pkg:golang/stdlib@go1.26.8", PackageKey("golang", "", "stdlib", "1.26.8")),
    (
        "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
        "pkg:maven/Org.Apache.Logging.Log4j/log4j-core@2.14.1?repository_url=https%3A%2F%2Frepo.example",
        PackageKey("maven", "org.apache.logging.log4j", "log4j-core", "2.14.1"),
    ),
    (
        "pkg:composer/symfony/http-kernel@5.4.0",
        "pkg:composer/Symfony/Http-Kernel@v5.4.0",
        PackageKey("composer", "symfony", "http-kernel", "5.4.0"),
    ),
    (
        "pkg:nuget/newtonsoft.json@13.0.1",
        "pkg:nuget/Newtonsoft.Json@13.0.1",
        PackageKey("nuget", "", "newtonsoft.json", "13.0.1"),
    ),
    ("pkg:cargo/serde_json@1.0.0", "pkg:cargo/serde-json@1.0.0", PackageKey("cargo", "", "serde-json", "1.0.0")),
]


@pytest.mark.parametrize(("one", "other", "key"), SAME)
def test_two_spellings_give_one_key(one: str, other: str, key: PackageKey) -> None:
    assert package_key(one) == key
    assert package_key(other) == key


def test_gem_names_keep_their_case() -> None:
    assert package_key("pkg:gem/Rack@2.0").name == "Rack"


def test_architecture_and_epoch_keep_packages_apart() -> None:
    assert package_key("pkg:deb/debian/a@1:2?arch=amd64") != package_key("pkg:deb/debian/a@2?arch=amd64")
    assert package_key("pkg:deb/debian/a@2?arch=amd64") != package_key("pkg:deb/debian/a@2?arch=arm64")


def test_an_epoch_in_both_places_counts_once() -> None:
    assert package_key("pkg:rpm/rocky/a@1:2-3?epoch=1&arch=noarch") == PackageKey(
        "rpm", "", "a", "1:2-3", arch="noarch"
    )


@pytest.mark.parametrize(
    ("type_", "name", "expected"),
    [
        ("npm", "@Scope/Pkg", ("@scope", "pkg")),
        ("maven", "org.example:thing", ("org.example", "thing")),
        ("golang", "github.com/docker/cli", ("github.com/docker", "cli")),
        ("composer", "Symfony/Yaml", ("symfony", "yaml")),
        ("pypi", "a/b", ("", "a/b")),
    ],
)
def test_names_that_hold_their_namespace_are_taken_apart(type_: str, name: str, expected: tuple[str, str]) -> None:
    key = key_of(type_, "", name, "1")
    assert (key.namespace, key.name) == expected


def test_path_is_kept_for_languages_and_dropped_for_distributions() -> None:
    assert package_key("pkg:pypi/a@1", path="/usr/lib/METADATA").path == "usr/lib/METADATA"
    assert package_key("pkg:deb/debian/a@1", path="/var/lib/dpkg/status").path == ""


@pytest.mark.parametrize("text", ["", "zlib", "pkg:", "pkg:deb", "pkg:deb/", "http://a/b", "pkg:d eb/a@1", "pkg:1/a@1"])
def test_text_that_is_no_purl_is_refused(text: str) -> None:
    with pytest.raises(ScannerError) as caught:
        package_key(text)
    assert caught.value.code == "SCAN_FAILED"


def test_a_purl_that_is_too_long_is_refused() -> None:
    prefix, suffix = "pkg:pypi/", "@1"
    fits = prefix + "a" * (MAX_PURL_CHARACTERS - len(prefix) - len(suffix)) + suffix
    assert package_key(fits).version == "1"
    with pytest.raises(ScannerError) as caught:
        package_key(fits + "0")
    assert caught.value.code == "SCAN_FAILED"


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"], include_characters="-_."), min_size=1, max_size=20)
TYPES = st.sampled_from(["deb", "rpm", "apk", "pypi", "npm", "golang", "maven", "gem", "composer", "nuget", "cargo"])


@given(TYPES, NAMES, NAMES, NAMES)
def test_a_purl_and_its_parts_give_one_key(type_: str, namespace: str, name: str, version: str) -> None:
    purl = PackageURL(type=type_, namespace=namespace, name=name, version=version).to_string()
    assert package_key(purl) == key_of(type_, namespace, name, version)


@given(TYPES, NAMES, NAMES, st.from_regex(r"(\d{1,3}:)?[0-9a-z.+~-]{1,12}", fullmatch=True))
def test_normalising_twice_changes_nothing(type_: str, namespace: str, name: str, version: str) -> None:
    once = key_of(type_, namespace, name, version, "amd64", "a/b")
    again = key_of(once.type, once.namespace, once.name, once.version, once.arch, once.path)
    assert again == once or once.version.startswith(("v", "go"))


@given(st.text(max_size=60))
def test_any_text_gives_a_key_or_a_gate_error(text: str) -> None:
    with contextlib.suppress(ScannerError):
        key = package_key("pkg:" + text)
        assert key.type == key.type.lower()
