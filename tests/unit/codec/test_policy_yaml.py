"""A policy is taken whole or refused with a code and a place (attacks P01, P05, P08, A14, I06, D12)."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.policy_keys import LATER, POLICY_KEYS
from gate.codec.policy_yaml import asks_for_nothing, check_policy_dates, parse_policy
from gate.errors import GateError, KeyFileError, PolicyError
from gate.model.digest import Digest
from gate.model.finding import Severity, Tool
from gate.model.glob import Glob
from gate.model.image import Platform
from gate.model.limits import LayerLimits
from gate.model.policy import (
    AttestSettings,
    EpssRule,
    FailOrIgnore,
    ImagePolicy,
    KeySigner,
    Quorum,
    RevisionRule,
    Rule,
    SecretAllowance,
    SecretsFailOn,
    SecretsPolicy,
    UserRule,
    VulnerabilityPolicy,
)
from gate.model.signer import KeyAlgorithm
from tests.support.policies import FILES, KEY_PEM, MemoryFiles, as_bytes, policy, policy_document, waiver
from tests.support.signing import GATE, STRANGER

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
KEY_A, KEY_B = {"file": "keys/a.pub"}, {"file": "keys/b.pub"}
HEX_A = Digest.of(KEY_PEM).hex


def refused(document: object, files: MemoryFiles = FILES) -> GateError:
    with pytest.raises(GateError) as caught:
        policy(document, files)
    return caught.value


def signature(**changes: object) -> dict[str, object]:
    return policy_document(signature=[{"images": "**", "anyOf": [{"key": KEY_A}]} | changes])


# Whole documents


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty-file"),
        pytest.param(b"# only a comment\n", id="only-comments"),
        pytest.param(b"{}", id="empty-mapping"),
        pytest.param(b"apiVersion: gate/v1\nkind: Policy\nmetadata: {name: a}\nspec: {}\n", id="empty-spec"),
        pytest.param(b"apiVersion: gate/v1\nkind: Policy\nmetadata: {name: a}\nspec:\n", id="spec-without-value"),
        pytest.param(as_bytes(policy_document(secrets={"failOn": "none"})), id="all-checks-disabled"),
        pytest.param(as_bytes(policy_document(image={"user": "any", "labels": {"deny": []}})), id="image-asks-nothing"),
        pytest.param(as_bytes(policy_document(platforms="all", attest={}, rules=[])), id="settings-alone"),
    ],
)
def test_p01_a_policy_that_asks_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(data, name="policy.yaml", files=FILES)
    assert caught.value.code == "POL_EMPTY"


@pytest.mark.parametrize(
    "spec",
    [
        {"vulnerabilities": {}},
        {"secrets": {}},
        {"image": {}},
        {"image": {"user": "any"}},
        {"references": {"registries": ["registry.example/**"]}},
        {"rules": [{"id": "r", "cel": "true", "message": "m"}]},
        {"signature": [{"images": "**", "anyOf": [{"key": KEY_A}]}]},
    ],
)
def test_p01_twin_one_section_that_can_refuse_is_enough(spec: dict[str, object]) -> None:
    assert not asks_for_nothing(policy(policy_document(**spec)))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"apiVersion": "gate/v2"}, "POL_MALFORMED"),
        ({"kind": "Requirement"}, "POL_MALFORMED"),
        ({"metadata": {}}, "POL_MALFORMED"),
        ({"metadata": {"name": "a b"}}, "POL_MALFORMED"),
        ({"metadata": {"name": "a", "expire": "2027-01-01"}}, "POL_UNKNOWN_KEY"),
        ({"metadata": {"name": "a", "expires": "never"}}, "POL_MALFORMED"),
        ({"Spec": {}}, "POL_UNKNOWN_KEY"),
        ({"spec": []}, "POL_MALFORMED"),
    ],
)
def test_a_wrong_head_is_refused(change: dict[str, object], code: str) -> None:
    assert refused(policy_document() | change).code == code
    assert policy(policy_document()).name == "test"


@pytest.mark.parametrize("data", [b"text", b"[]", b"- a\n"])
def test_a_document_of_another_form_is_refused(data: bytes) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(data, name="policy.yaml", files=FILES)
    assert caught.value.code == "POL_MALFORMED"


def test_the_digest_is_that_of_the_bytes() -> None:
    data = as_bytes(policy_document())
    assert parse_policy(data, name="a", files=FILES).digest == Digest.of(data)
    assert parse_policy(data + b"\n", name="a", files=FILES).digest == Digest.of(data + b"\n")


def test_a_whole_policy_means_what_it_says() -> None:
    parsed = policy(
        {
            "apiVersion": "gate/v1",
            "kind": "Policy",
            "metadata": {"name": "whole", "description": "all keys", "expires": "2027-12-31"},
            "spec": {
                "references": {"registries": ["registry.example/shop/**", "docker.io/library/*"]},
                "platforms": ["linux/amd64", "linux/arm/v7"],
                "signature": [
                    {"images": "registry.example/shop/**", "allOf": [{"key": KEY_A | {"sha256": HEX_A}}, {"key": KEY_B}],
                     "annotations": {"stage": "release"}},
                ],
                "vulnerabilities": {
                    "scanners": {"require": ["grype", "trivy"], "quorum": "agree"}, "databaseMaxAge": "24h",
                    "failOn": "medium", "unknownSeverity": "low", "ignoreUnfixed": True,
                    "grace": {"medium": "30d", "high": "7d"}, "kev": "ignore", "endOfLife": "ignore",
                    "emptyBase": ["gcr.io/distroless/**", str(Digest.of(b"base"))],
                },
                "secrets": {
                    "failOn": "live", "unopened": "ignore",
                    "allow": [{"fingerprint": "ab" * 8, "reason": "r", "owner": "o", "expires": "2027-01-31"}],
                },
                "image": {
                    "user": "any", "maxAge": "60d", "revision": "required", "ports": {"deny": ["22", "80/tcp"]},
                    "setuid": {"allow": ["/usr/bin/su"]}, "labels": {"deny": ["a.*"]},
                    "base": [{"name": "debian", "diffIds": [str(Digest.of(b"layer"))]}],
                },
                "rules": [{"id": "r-1", "cel": "true", "message": "m"}],
                "waivers": [waiver()],
                "waiverMaxDuration": "30d",
                "limits": {"layers": 10, "uncompressedBytes": 11, "entries": 12, "ratio": 13,
                           "ratioWindowBytes": 1048576, "secondsPerGib": 1.5},
                "attest": {
                    "verifierId": "https://gate.shop.example/ci", "maxAge": "1d", "environments": ["staging", "production"],
                    "evidencePredicateType": "https://shop.example/e/v1", "extensionPrefix": "https://shop.example/x/",
                    "requireTimestamp": True,
                },
            },
        }
    )  # fmt: skip
    assert (parsed.name, parsed.description, parsed.expires) == ("whole", "all keys", date(2027, 12, 31))
    assert parsed.registries == (Glob("registry.example/shop/**"), Glob("docker.io/library/*"))
    assert parsed.platforms == (Platform("linux", "amd64"), Platform("linux", "arm", "v7"))
    assert parsed.signature is not None
    assert parsed.signature[0].all_of == (KeySigner(key=GATE.public_key), KeySigner(key=STRANGER.public_key))
    assert (parsed.signature[0].any_of, dict(parsed.signature[0].annotations)) == ((), {"stage": "release"})
    assert parsed.unpinned == ("keys/b.pub",)
    assert parsed.vulnerabilities == VulnerabilityPolicy(
        require=frozenset({Tool.TRIVY, Tool.GRYPE}),
        quorum=Quorum.AGREE,
        database_max_age=timedelta(hours=24),
        fail_on=Severity.MEDIUM,
        unknown_severity=Severity.LOW,
        ignore_unfixed=True,
        grace=((Severity.HIGH, timedelta(days=7)), (Severity.MEDIUM, timedelta(days=30))),
        kev=FailOrIgnore.IGNORE,
        end_of_life=FailOrIgnore.IGNORE,
        empty_base=("gcr.io/distroless/**", str(Digest.of(b"base"))),
    )
    assert parsed.secrets == SecretsPolicy(
        fail_on=SecretsFailOn.LIVE,
        unopened=FailOrIgnore.IGNORE,
        allow=(SecretAllowance(fingerprint="ab" * 8, reason="r", owner="o", expires=date(2027, 1, 31)),),
    )
    assert parsed.image is not None
    assert (parsed.image.user, parsed.image.max_age) == (UserRule.ANY, timedelta(days=60))
    assert (parsed.image.revision, parsed.image.ports_deny) == (RevisionRule.REQUIRED, ("22", "80/tcp"))
    assert (parsed.image.setuid_allow, parsed.image.labels_deny) == (("/usr/bin/su",), ("a.*",))
    assert parsed.image.base[0].diff_ids == (Digest.of(b"layer"),)
    assert parsed.rules == (Rule(id="r-1", cel="true", message="m"),)
    assert (parsed.waivers[0].id, parsed.waivers[0].expires) == ("W-1", date(2027, 1, 31))
    assert parsed.waivers[0].match["versions"] == "< 1:1.3"
    assert parsed.waiver_max_duration == timedelta(days=30)
    assert parsed.limits == LayerLimits(
        layers=10, uncompressed_bytes=11, entries=12, ratio=13, ratio_window_bytes=1048576, seconds_per_gib=1.5
    )
    assert parsed.attest == AttestSettings(
        verifier_id="https://gate.shop.example/ci",
        max_age=timedelta(days=1),
        environments=("staging", "production"),
        evidence_predicate_type="https://shop.example/e/v1",
        extension_prefix="https://shop.example/x/",
        require_timestamp=True,
    )


def test_what_is_not_given_has_the_documented_defaults() -> None:
    parsed = policy(policy_document(vulnerabilities={}, secrets={}, image={}))
    assert parsed.vulnerabilities == VulnerabilityPolicy()
    assert parsed.secrets == SecretsPolicy()
    assert parsed.image == ImagePolicy()
    assert (parsed.signature, parsed.registries, parsed.platforms, parsed.expires) == (None, (), (), None)
    assert (parsed.limits, parsed.attest, parsed.unpinned) == (LayerLimits(), AttestSettings(), ())


@pytest.mark.parametrize(("section", "key"), [(section, key) for section, keys in LATER.items() for key in keys])
def test_p02_a_key_of_a_later_release_is_refused_and_says_so(section: str, key: str) -> None:
    documents: dict[str, dict[str, Any]] = {
        "spec": policy_document(vulnerabilities={}, **{key: {}}),
        "spec.signature[]": signature(**{key: 1}),
        "spec.secrets": policy_document(secrets={key: {"file": "x"}}),
        "signer": signature(anyOf=[{key: {"issuer": "https://issuer.example", "subject": "a"}}]),
    }
    error = refused(documents[section])
    assert error.code == "POL_UNKNOWN_KEY"
    assert "not understood by this release" in error.message


# References and patterns


@pytest.mark.parametrize(
    "pattern",
    [
        "nginx",
        "library/nginx",
        "docker.io/nginx",
        "docker.io/*",
        "index.docker.io/library/nginx",
        "registry.example:443/shop/**",
        "Registry.Example/shop/**",
        "registry.example/Shop/**",
        "registry.example./shop",
        "user@registry.example/shop",
        "registry.example/shop/",
        "registry.example//shop",
        "registry.example/shop**",
        "registry.example/**shop",
        "!registry.example/shop",
        "registry.example/shop?",
        "registry.example/shop:latest",
        "régistry.example/shop",
        "*",
        "*/shop",
        "",
    ],
)
def test_d12_a_pattern_that_no_repository_can_match_is_refused(pattern: str) -> None:
    error = refused(policy_document(references={"registries": [pattern]}))
    assert error.code == "POL_MALFORMED"
    assert "spec.references.registries[0]" in error.message


@pytest.mark.parametrize(
    ("pattern", "matches", "strangers"),
    [
        (
            "registry.example/shop/**",
            "registry.example/shop/a/b",
            ["registry.example.evil/shop/a", "registry.example/shop"],
        ),
        ("docker.io/acme/*", "docker.io/acme/web", ["docker.io/acme-evil/web", "docker.io/acme/a/b"]),
        ("docker.io/library/nginx", "docker.io/library/nginx", ["docker.io/library/nginx-evil"]),
        ("docker.io/**", "docker.io/library/nginx", ["docker.io.evil/library/nginx"]),
        ("registry.example:5000/**", "registry.example:5000/a", ["registry.example/a", "registry.example:50001/a"]),
        ("127.0.0.1:5000/shop/*", "127.0.0.1:5000/shop/web", ["127.0.0.1:5001/shop/web"]),
        ("[::1]:5000/**", "[::1]:5000/a", ["[::1]/a"]),
        ("*.example.com/**", "a.example.com/x", ["example.com/x", "evil/a.example.com/x"]),
        ("**", "anything.example/at/all", []),
    ],
)
def test_d12_twin_a_pattern_matches_components(pattern: str, matches: str, strangers: list[str]) -> None:
    (read,) = policy(policy_document(references={"registries": [pattern]})).registries
    assert read.matches(matches)
    assert [name for name in strangers if read.matches(name)] == []


# Signers


@pytest.mark.parametrize(
    "change",
    [
        {"anyOf": []},
        {"anyOf": [{}]},
        {"anyOf": [{"key": {}}]},
        {"annotations": {}},
        {"annotations": {"stage": ""}},
        {"annotations": {"": "x"}},
    ],
)
def test_i06_an_empty_identity_is_refused(change: dict[str, object]) -> None:
    assert refused(signature(**change)).code == "POL_EMPTY_IDENTITY"
    assert policy(signature()).signature is not None


def test_i06_an_empty_signature_section_is_refused() -> None:
    assert refused(policy_document(signature=[])).code == "POL_EMPTY_IDENTITY"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"allOf": [{"key": KEY_B}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A}, {"key": KEY_A | {"notAfter": "2027-01-01"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"pem": KEY_PEM.decode()}}]}, "POL_EMPTY_IDENTITY"),
        ({"anyOf": [{"key": {"pem": KEY_PEM.decode(), "sha256": HEX_A}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"notBefore": "2027-01-02", "notAfter": "2027-01-01"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"notAfter": "never"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"key": KEY_A | {"rsaScheme": "none"}}]}, "POL_MALFORMED"),
        ({"anyOf": [{"kee": KEY_A}]}, "POL_UNKNOWN_KEY"),
    ],
)
def test_a_wrong_signer_is_refused(change: dict[str, object], code: str) -> None:
    assert refused(signature(**change)).code == code


def test_a_key_counts_in_whole_days() -> None:
    parsed = policy(signature(anyOf=[{"key": KEY_A | {"notBefore": "2026-01-01", "notAfter": "2026-12-31"}}]))
    assert parsed.signature is not None
    key = parsed.signature[0].any_of[0].key
    assert key.algorithm is KeyAlgorithm.ECDSA_P256
    assert key.not_before == datetime(2026, 1, 1, tzinfo=UTC)
    assert key.not_after == datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_an_inline_key_needs_no_pin() -> None:
    parsed = policy(signature(anyOf=[{"key": {"pem": KEY_PEM.decode()}}]))
    assert parsed.signature is not None
    assert parsed.signature[0].any_of == (KeySigner(key=GATE.public_key),)
    assert parsed.unpinned == ()


def test_a_file_that_is_no_key_names_its_place_and_no_content() -> None:
    files = MemoryFiles({"keys/a.pub": b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"})
    error = refused(signature(), files)
    assert isinstance(error, KeyFileError)
    assert error.code == "KEY_MALFORMED"
    assert "spec.signature[0].anyOf[0].key" in error.message
    assert "c2VjcmV0" not in str(error)


# Files


def test_a_pinned_file_with_other_bytes_is_refused() -> None:
    error = refused(signature(anyOf=[{"key": KEY_A | {"sha256": "0" * 63 + "1"}}]))
    assert error.code == "POL_FILE"
    assert error.seen == f"sha256:{HEX_A}"


def test_twin_a_pinned_file_with_its_bytes_is_read() -> None:
    assert policy(signature(anyOf=[{"key": KEY_A | {"sha256": HEX_A}}])).unpinned == ()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../keys/a.pub", "keys/../../a", "keys//a.pub", "./keys/a.pub", "keys/..", "a\\b", "keys/", "a\0b"],
)
def test_a_path_that_leaves_the_folder_is_never_read(path: str) -> None:
    class Untouched:
        def read(self, path: str) -> bytes:
            raise AssertionError(path)

    document = as_bytes(signature(anyOf=[{"key": {"file": path}}]))
    with pytest.raises(PolicyError) as caught:
        parse_policy(document, name="policy.yaml", files=Untouched())
    assert caught.value.code == "POL_MALFORMED"


def test_an_unpinned_file_is_named_once() -> None:
    document = policy_document(
        signature=[
            {"images": "registry.example/a", "anyOf": [{"key": KEY_A}]},
            {"images": "registry.example/b", "anyOf": [{"key": KEY_A}, {"key": KEY_B}]},
        ]
    )
    assert policy(document).unpinned == ("keys/a.pub", "keys/b.pub")


# Vulnerabilities


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"failOn": "HIGH"}, "POL_MALFORMED"),
        ({"failOn": "unknown"}, "POL_MALFORMED"),
        ({"failOn": "none"}, "POL_MALFORMED"),
        ({"unknownSeverity": "unknown"}, "POL_MALFORMED"),
        ({"ignoreUnfixed": "true"}, "POL_MALFORMED"),
        ({"ignoreUnfixed": None}, "POL_MALFORMED"),
        ({"grace": {"severe": "7d"}}, "POL_UNKNOWN_KEY"),
        ({"grace": {"unknown": "7d"}}, "POL_UNKNOWN_KEY"),
        ({"grace": {"high": "7"}}, "POL_MALFORMED"),
        ({"scanners": {"require": []}}, "POL_MALFORMED"),
        ({"scanners": {"require": ["gate"]}}, "POL_MALFORMED"),
        ({"scanners": {"require": ["trivy", "trivy"]}}, "POL_MALFORMED"),
        ({"scanners": {"require": ["trivy"], "quorum": "all"}}, "POL_MALFORMED"),
        ({"scanners": {"quorum": "both"}}, "POL_MALFORMED"),
        ({"kev": True}, "POL_MALFORMED"),
        ({"epss": {"failAbove": 0.5}}, "POL_MALFORMED"),
        ({"epss": {"failAbove": 1.5, "data": KEY_A}}, "POL_MALFORMED"),
        ({"emptyBase": ["scratch"]}, "POL_MALFORMED"),
        ({"emptyBase": ["sha256:abc"]}, "POL_MALFORMED"),
        ({"vex": [{}]}, "POL_MALFORMED"),
        ({"vex": [{"signers": [{"key": KEY_A}]}]}, "POL_MALFORMED"),
        ({"vex": [{"signers": [], "products": ["pkg:deb/debian/*"]}]}, "POL_EMPTY_IDENTITY"),
        ({"vex": [{"signers": [{"key": KEY_A}], "products": []}]}, "POL_EMPTY_IDENTITY"),
        ({"vex": [{"signers": [{"key": KEY_A}], "products": ["*"]}]}, "POL_MALFORMED"),
        ({"vex": [{"signers": [{"key": KEY_A}], "products": ["pkg:deb/debian/*"], "sha256": HEX_A}]}, "POL_MALFORMED"),
        ({"vex": [{"file": "keys/a.pub"}]}, "POL_FILE"),
    ],
)
def test_a_wrong_vulnerability_section_is_refused(change: dict[str, object], code: str) -> None:
    error = refused(policy_document(vulnerabilities=change))
    assert error.code == code
    assert "spec.vulnerabilities" in error.message


def test_threat_data_is_pinned_by_what_was_read() -> None:
    document = policy_document(
        vulnerabilities={
            "kevData": KEY_A,
            "epss": {"failAbove": 0.25, "data": KEY_B | {"sha256": Digest.of(FILES.content["keys/b.pub"]).hex}},
        }
    )
    parsed = policy(document)
    assert parsed.vulnerabilities is not None
    assert parsed.vulnerabilities.epss == EpssRule(fail_above=0.25)
    assert parsed.kev_file == ("keys/a.pub", Digest.of(KEY_PEM))
    assert parsed.epss_file == ("keys/b.pub", Digest.of(FILES.content["keys/b.pub"]))
    assert parsed.unpinned == ("keys/a.pub",)


def test_signers_of_vex_speak_for_their_products() -> None:
    entry = {"signers": [{"key": KEY_A}, {"key": KEY_B}], "products": ["pkg:deb/debian/*"]}
    parsed = policy(policy_document(vulnerabilities={"vex": [entry]}))
    assert parsed.vulnerabilities is not None
    assert [(author.signer.key, author.products) for author in parsed.vulnerabilities.vex_authors] == [
        (GATE.public_key, ("pkg:deb/debian/*",)),
        (STRANGER.public_key, ("pkg:deb/debian/*",)),
    ]


# The image and its secrets


@pytest.mark.parametrize(
    ("section", "change", "code"),
    [
        ("image", {"user": "nonroot"}, "POL_MALFORMED"),
        ("image", {"maxAge": "60"}, "POL_MALFORMED"),
        ("image", {"revision": "provenance"}, "POL_MALFORMED"),
        ("image", {"ports": {}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": [22]}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": ["0"]}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": ["65536/tcp"]}}, "POL_MALFORMED"),
        ("image", {"ports": {"deny": ["22/icmp"]}}, "POL_MALFORMED"),
        ("image", {"setuid": {"allow": ["usr/bin/su"]}}, "POL_MALFORMED"),
        ("image", {"setuid": {"allow": ["/usr/../bin/su"]}}, "POL_MALFORMED"),
        ("image", {"setuid": {"allow": ["/"]}}, "POL_MALFORMED"),
        ("image", {"labels": {"deny": ["a b"]}}, "POL_MALFORMED"),
        ("image", {"base": [{"name": "a", "diffIds": []}]}, "POL_MALFORMED"),
        ("image", {"base": [{"name": "a", "diffIds": ["sha256:0"]}]}, "POL_MALFORMED"),
        ("secrets", {"failOn": "all"}, "POL_MALFORMED"),
        ("secrets", {"allow": [{"fingerprint": "ab" * 8, "reason": "r", "owner": "o"}]}, "POL_WAIVER"),
        (
            "secrets",
            {"allow": [{"fingerprint": "*", "reason": "r", "owner": "o", "expires": "2027-01-01"}]},
            "POL_MALFORMED",
        ),
    ],
)
def test_a_wrong_image_or_secrets_section_is_refused(section: str, change: dict[str, object], code: str) -> None:
    error = refused(policy_document(**{section: change}))
    assert error.code == code
    assert f"spec.{section}" in error.message


# Rules


@pytest.mark.parametrize(
    "cel", ["", "(" * 17 + "true" + ")" * 17, "(true", "true)", "'abc", "x" * 2049, ")(", "['a'", "{"]
)
def test_p09_a_rule_beyond_the_limits_is_refused(cel: str) -> None:
    # A quote that is left open leaves the bracket before it open too: the compiler in the child has the last word.
    text = f"({cel}" if cel == "'abc" else cel
    error = refused(policy_document(rules=[{"id": "r", "cel": text, "message": "m"}]))
    assert error.code == "POL_MALFORMED"


@pytest.mark.parametrize(
    "cel", ["true", "(" * 16 + "true" + ")" * 16, "a == ')'", 'a == "]" || b == "\\""', "[1].all(x, x > 0)"]
)
def test_p09_twin_a_rule_within_the_limits_is_taken_as_it_is(cel: str) -> None:
    assert policy(policy_document(rules=[{"id": "r", "cel": cel, "message": "m"}])).rules[0].cel == cel


def test_an_id_is_given_once() -> None:
    rule = {"id": "r", "cel": "true", "message": "m"}
    assert refused(policy_document(rules=[rule, rule])).code == "POL_MALFORMED"
    assert refused(policy_document(vulnerabilities={}, waivers=[waiver(), waiver()])).code == "POL_MALFORMED"


# Waivers


@pytest.mark.parametrize("field", ["id", "check", "images", "match", "reason", "owner", "approvedBy", "expires"])
def test_p08_a_waiver_without_a_field_is_refused(field: str) -> None:
    error = refused(policy_document(vulnerabilities={}, waivers=[waiver(**{field: None})]))
    assert error.code == "POL_WAIVER"
    assert f"'{field}'" in error.message


MATCH: dict[str, str] = {"vulnerability": "CVE-2024-0001", "package": "pkg:deb/debian/zlib1g", "versions": "< 1:1.3"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"images": "**"}, "POL_WAIVER", id="P08-every-image"),
        pytest.param({"images": "*.example/shop/**"}, "POL_WAIVER", id="P08-every-host"),
        pytest.param({"check": "signature"}, "POL_WAIVER", id="P08-signature"),
        pytest.param({"check": "reference"}, "POL_WAIVER", id="P08-reference"),
        pytest.param({"check": "coverage"}, "POL_WAIVER", id="P08-completeness"),
        pytest.param({"check": "base-image"}, "POL_WAIVER", id="P08-base"),
        pytest.param({"check": "*"}, "POL_WAIVER", id="P08-every-check"),
        pytest.param({"match": {}}, "POL_WAIVER", id="P08-empty-match"),
        pytest.param({"match": MATCH | {"vulnerability": "*"}}, "POL_WAIVER", id="P08-every-vulnerability"),
        pytest.param({"match": MATCH | {"vulnerability": "CVE-2024-*"}}, "POL_WAIVER", id="P08-wildcard-in-id"),
        pytest.param({"match": MATCH | {"vulnerability": "cve-2024-0001"}}, "POL_WAIVER", id="P08-lower-case-id"),
        pytest.param({"match": MATCH | {"package": "*"}}, "POL_WAIVER", id="P08-every-package"),
        pytest.param({"match": MATCH | {"package": "pkg:deb/debian/*"}}, "POL_WAIVER", id="P08-wildcard-package"),
        pytest.param({"match": MATCH | {"package": "zlib1g"}}, "POL_MALFORMED", id="P08-no-purl"),
        pytest.param(
            {"match": MATCH | {"package": "pkg:deb/debian/zlib1g@1"}}, "POL_MALFORMED", id="P08-purl-with-version"
        ),
        pytest.param({"match": MATCH | {"package": "pkg:pypi/Foo_Bar"}}, "POL_MALFORMED", id="P08-purl-not-canonical"),
        pytest.param({"match": MATCH | {"versions": "*"}}, "POL_WAIVER", id="P08-every-version"),
        pytest.param({"match": MATCH | {"versions": "1.3"}}, "POL_WAIVER", id="P08-version-without-comparison"),
        pytest.param(
            {"match": {k: v for k, v in MATCH.items() if k != "versions"}}, "POL_WAIVER", id="P08-no-versions"
        ),
        pytest.param({"match": MATCH | {"fingerprint": "ab" * 8}}, "POL_UNKNOWN_KEY", id="P08-key-of-another-check"),
        pytest.param({"check": "secret", "match": {"fingerprint": "*"}}, "POL_WAIVER", id="P08-every-secret"),
        pytest.param({"check": "image-user", "match": {"code": "IMG_*"}}, "POL_WAIVER", id="P08-every-code"),
        pytest.param({"check": "image-age", "match": {"code": "IMG_AGE_UNKNOWN"}}, "POL_WAIVER", id="P08-an-error"),
        pytest.param(
            {"check": "image-config", "match": {"code": "SIG_MISSING"}}, "POL_WAIVER", id="P08-code-of-another"
        ),
        pytest.param({"check": "rules", "match": {"rule": "*"}}, "POL_MALFORMED", id="P08-every-rule"),
        pytest.param({"reason": ""}, "POL_MALFORMED", id="P08-no-reason"),
        pytest.param({"owner": " "}, "POL_MALFORMED", id="P08-no-owner"),
        pytest.param({"expires": "2026-13-45"}, "POL_MALFORMED", id="A14-impossible-day"),
        pytest.param({"expires": "never"}, "POL_MALFORMED", id="A14-never"),
        pytest.param({"expires": ""}, "POL_MALFORMED", id="A14-empty"),
        pytest.param({"until": "2027-01-31"}, "POL_UNKNOWN_KEY", id="P08-unknown-field"),
    ],
)
def test_p08_a_waiver_that_is_too_wide_or_malformed_is_refused(change: dict[str, object], code: str) -> None:
    error = refused(policy_document(vulnerabilities={}, waivers=[waiver(**change)]))
    assert error.code == code
    assert "spec.waivers[0]" in error.message


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"images": "registry.example/shop/web"},
        {
            "match": MATCH
            | {"vulnerability": "GHSA-aaaa-bbbb-cccc", "package": "pkg:npm/%40scope/name", "versions": ">= 1, < 2"}
        },
        {"check": "secret", "match": {"fingerprint": "ab" * 8}},
        {"check": "image-config", "match": {"code": "IMG_PORT", "location": "22/tcp"}},
        {"check": "image-user", "match": {"code": "IMG_USER_ROOT"}},
        {"check": "rules", "match": {"rule": "no-shell"}},
    ],
)
def test_p08_twin_a_narrow_waiver_is_taken(change: dict[str, object]) -> None:
    (read,) = policy(policy_document(vulnerabilities={}, waivers=[waiver(**change)])).waivers
    assert read.approved_by == "security"
    assert dict(read.match) == change.get("match", MATCH)


# What needs a clock


def test_a13_an_expired_policy_is_refused_after_its_last_day() -> None:
    document = policy_document()
    document["metadata"]["expires"] = "2026-11-25"
    parsed = policy(document)
    check_policy_dates(parsed, NOW)
    check_policy_dates(parsed, datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(PolicyError) as caught:
        check_policy_dates(parsed, datetime(2026, 11, 26, tzinfo=UTC))
    assert caught.value.code == "POL_EXPIRED"


def test_p08_a_waiver_ends_within_the_allowed_time() -> None:
    def with_end(day: date, **spec: object) -> None:
        document = policy_document(vulnerabilities={}, waivers=[waiver(expires=day.isoformat())], **spec)
        check_policy_dates(policy(document), NOW)

    with_end(NOW.date() + timedelta(days=90))
    with_end(NOW.date() + timedelta(days=91), waiverMaxDuration="91d")
    with_end(NOW.date() - timedelta(days=1))
    with pytest.raises(PolicyError) as caught:
        with_end(NOW.date() + timedelta(days=91))
    assert caught.value.code == "POL_WAIVER"
    with pytest.raises(PolicyError) as caught:
        with_end(NOW.date() + timedelta(days=8), waiverMaxDuration="7d")
    assert caught.value.code == "POL_WAIVER"


# Whatever comes

WHOLE = policy_document(
    vulnerabilities={"scanners": {"quorum": "any"}, "grace": {"high": "7d"}},
    secrets={},
    image={"ports": {"deny": ["22"]}},
    signature=[{"images": "**", "anyOf": [{"key": KEY_A}]}],
    rules=[{"id": "r", "cel": "true", "message": "m"}],
    waivers=[waiver()],
    attest={"environments": ["a"]},
)
SECTIONS = sorted({key for keys in POLICY_KEYS.values() for key in keys})
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(SECTIONS), inner, max_size=3)),
    max_leaves=10,
)


def places(value: object) -> list[tuple[Any, Any]]:
    """Give each container of the document with each of its keys."""
    match value:
        case dict():
            return [(value, key) for key in value] + [place for item in value.values() for place in places(item)]
        case list():
            return [(value, key) for key in range(len(value))] + [place for item in value for place in places(item)]
        case _:
            return []


@given(st.data())
def test_any_change_gives_a_policy_or_a_refusal_with_a_code(data: st.DataObject) -> None:
    document = copy.deepcopy(WHOLE)
    container, key = data.draw(st.sampled_from(places(document)))
    container[key] = data.draw(VALUES)
    try:
        policy(document)
    except (PolicyError, KeyFileError) as error:
        code = error.code
    else:
        code = "POL_TAKEN"
    assert code.startswith(("POL_", "KEY_"))
