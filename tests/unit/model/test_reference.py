"""References and digests: one strict grammar, before any path or address is built of them (attacks D02, D12, V12)."""

from __future__ import annotations

import pytest

from gate.errors import UsageError
from gate.model.digest import Digest
from gate.model.reference import (
    ArchiveReference,
    LayoutReference,
    Reference,
    RegistryReference,
    parse_reference,
    parse_repository,
)

HEX = "0123456789abcdef" * 4
GOOD = f"sha256:{HEX}"
REPOSITORY = "registry.example/shop/web"


def refusal(text: str) -> str:
    with pytest.raises(UsageError) as refused:
        parse_reference(text)
    return refused.value.code


# In the order of the row: length, letters, algorithm, label, path, address, blanks, look-alikes, two digests.
@pytest.mark.parametrize(
    "digest",
    [
        "",
        "sha256:",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX[:12]}",
        HEX,
        f":{HEX}",
        f"sha256:{HEX.upper()}",
        f"SHA256:{HEX}",
        f"sha1:{HEX[:40]}",
        f"md5:{HEX[:32]}",
        f"sha384:{HEX}{HEX[:32]}",
        f"sha512:{HEX}{HEX}",
        f"sha512:{HEX}",
        f"sha256+b64u:{HEX}",
        f"sha256:{HEX[:-1]}g",
        f"sha256:../../{HEX[:-6]}",
        f"sha256:..{HEX[:-2]}",
        f"sha256/{HEX}",
        f"sha256:{HEX[:-1]}/",
        f"sha256::{HEX}",
        f"sha256:{HEX}@sha256:{HEX}",
        f"sha256:{HEX}:latest",
    ],
)
def test_d02_a_digest_in_another_spelling_is_refused(digest: str) -> None:
    assert refusal(f"{REPOSITORY}@{digest}") == "REF_DIGEST"
    with pytest.raises(UsageError) as refused:
        Digest(digest)
    assert refused.value.code == "REF_DIGEST"


@pytest.mark.parametrize("tail", ["\n", " ", "\0", "\r", "\u200b", "\uff10"])
def test_d02_nothing_stands_after_a_digest(tail: str) -> None:
    # `$` of a regular expression would let one newline through.
    assert refusal(f"{REPOSITORY}@{GOOD}{tail}") == "REF_MALFORMED"
    with pytest.raises(UsageError) as refused:
        Digest(GOOD + tail)
    assert refused.value.code == "REF_DIGEST"


def test_d02_twin_the_one_spelling_is_taken_and_a_tag_beside_it_decides_nothing() -> None:
    parsed = parse_reference(f"{REPOSITORY}:another@{GOOD}")
    assert isinstance(parsed, RegistryReference)
    assert (parsed.digest, str(parsed.repository)) == (Digest(GOOD), REPOSITORY)


@pytest.mark.parametrize(
    "text",
    [
        "--config=/tmp/x",
        "-o/dev/null",
        "-",
        f"-x.example/web@{GOOD}",
        f"registry.example/-web@{GOOD}",
        f"registry.example/web --config x@{GOOD}",
        f"registry.example/web\t@{GOOD}",
        f"registry.example/web\n--config=x@{GOOD}",
        f"registry.example/web\0@{GOOD}",
        f" registry.example/web@{GOOD}",
        f"registry.example/web:-tag@{GOOD}",
        f"registry.example/we%62@{GOOD}",
        f"registry.example/web?x@{GOOD}",
        f"registry.example/web#x@{GOOD}",
        f"registry.example\\web@{GOOD}",
        f"registry.example/../web@{GOOD}",
        f"registry.example//web@{GOOD}",
        f"/web@{GOOD}",
        "",
    ],
)
def test_v12_what_could_be_an_option_or_another_address_is_no_reference(text: str) -> None:
    assert refusal(text) == "REF_MALFORMED"


@pytest.mark.parametrize("text", ["oci:", "archive:", "oci:a\0b", f"oci:@{GOOD}", "oci:" + "x" * 5000])
def test_v12_a_place_that_is_none_is_no_reference(text: str) -> None:
    assert refusal(text) == "REF_MALFORMED"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        # A path is the user's own word; it is never handed to a scanner as it is (`link_layout`).
        ("oci:--config=x", LayoutReference("--config=x")),
        (f"oci:-o y@{GOOD}", LayoutReference("-o y", Digest(GOOD))),
        ("oci:a\nb", LayoutReference("a\nb")),
        ("archive:-x.tar", ArchiveReference("-x.tar")),
    ],
)
def test_v12_twin_a_path_may_be_called_anything(text: str, parsed: Reference) -> None:
    assert parse_reference(text) == parsed


@pytest.mark.parametrize(
    "text", ["nginx", "library/nginx", "docker.io/nginx", "docker.io/library/nginx", "index.docker.io/library/nginx"]
)
def test_d12_names_of_one_repository_are_one(text: str) -> None:
    assert str(parse_repository(text)) == "docker.io/library/nginx"


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("registry.io.evil.com/web", "registry.io.evil.com"),
        ("REGISTRY.example/web", "registry.example"),
        ("registry.example:443/web", "registry.example"),
        ("registry.example:8443/web", "registry.example:8443"),
        ("docker.io.evil.com/acme", "docker.io.evil.com"),
        ("acme-evil/web", "docker.io"),
        ("[::1]:5000/web", "[::1]:5000"),
    ],
)
def test_d12_the_host_is_a_component_of_its_own(text: str, host: str) -> None:
    assert parse_repository(text).host == host


@pytest.mark.parametrize(
    "text",
    [
        "registry.example./web",
        "registry.example:0/web",
        "registry.example:99999/web",
        "registry.example:/web",
        "b\u00fccher.example/web",
        "r\u0435gistry.example/web",
        "[fe80::1%eth0]/web",
        "registry.example/Web",
        "https://registry.example/web",
    ],
)
def test_d12_a_host_that_two_readers_could_take_differently_is_refused(text: str) -> None:
    assert refusal(text) == "REF_MALFORMED"


def test_d12_a_name_before_the_host_is_no_login() -> None:
    assert refusal(f"user@{REPOSITORY}") == "REF_DIGEST"
