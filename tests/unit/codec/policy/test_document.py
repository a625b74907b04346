"""A policy is taken whole or refused with a code and a place (attacks P01, P02, A13, A14, P08)."""

from __future__ import annotations

import copy
import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.policy.document import parse_policy, require_policy_dates
from gate.codec.policy.keys import POLICY_KEYS
from gate.errors import KeyFileError, PolicyError
from gate.model.asked import refusing_checks
from gate.model.digest import Digest
from gate.model.finding import SecretGrade, Tool
from gate.model.glob import Glob
from gate.model.image import Platform
from gate.model.limits import LayerLimits
from gate.model.policy import (
    AttestSettings,
    FailOrIgnore,
    ImagePolicy,
    Quorum,
    RevisionRule,
    Rule,
    SecretAllowance,
    SecretsFailOn,
    SecretsPolicy,
    UserRule,
    VulnerabilityPolicy,
)
from gate.model.policy_signers import KeySigner
from gate.model.severity import Severity
from tests.support.policies import (
    FILES,
    HEX_A,
    KEY_A,
    KEY_B,
    MemoryFiles,
    as_bytes,
    policy,
    policy_document,
    refusal,
    waiver,
)
from tests.support.signing import GATE, STRANGER

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


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
def test_p01_a_policy_that_asks_nothing_is_refusal(data: bytes) -> None:
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
    assert refusing_checks(policy(policy_document(**spec)))


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
def test_a_wrong_head_is_refusal(change: dict[str, object], code: str) -> None:
    assert refusal(policy_document() | change).code == code
    assert policy(policy_document()).name == "test"


@pytest.mark.parametrize("data", [b"text", b"[]", b"- a\n"])
def test_a_document_of_another_form_is_refusal(data: bytes) -> None:
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
        fail_on=SecretsFailOn(own=SecretGrade.POSSIBLE, packaged=SecretGrade.POSSIBLE, live_only=True),
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


def test_the_own_rules_of_a_policy_are_files_with_their_digests() -> None:
    content = b"rules of our own"
    digest = hashlib.sha256(content).hexdigest()
    document = policy_document(secrets={"rules": [{"file": "own.yaml", "sha256": digest}]})
    parsed = policy(document, files=MemoryFiles({"own.yaml": content}))
    assert parsed.secrets is not None
    (own,) = parsed.secrets.rules
    assert (own.path, own.content, str(own.digest)) == ("own.yaml", content, f"sha256:{digest}")
    assert parsed.unpinned == ()


def test_a_secret_is_allowed_by_fingerprint_or_by_file_and_not_by_both() -> None:
    why = {"reason": "a test key", "owner": "team", "expires": "2027-01-31"}
    entry = {"file": f"sha256:{'ab' * 32}", **why}
    parsed = policy(policy_document(secrets={"allow": [entry]}))
    assert parsed.secrets is not None
    assert str(parsed.secrets.allow[0].file) == entry["file"]
    assert refusal(policy_document(secrets={"allow": [{**entry, "fingerprint": "ab" * 8}]})).code == "POL_WAIVER"
    assert refusal(policy_document(secrets={"allow": [why]})).code == "POL_WAIVER"


# What needs a clock


def test_a13_an_expired_policy_is_refused_after_its_last_day() -> None:
    document = policy_document()
    document["metadata"]["expires"] = "2026-11-25"
    parsed = policy(document)
    require_policy_dates(parsed, NOW)
    require_policy_dates(parsed, datetime(2026, 11, 25, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(PolicyError) as caught:
        require_policy_dates(parsed, datetime(2026, 11, 26, tzinfo=UTC))
    assert caught.value.code == "POL_EXPIRED"


def test_p08_a_waiver_ends_within_the_allowed_time() -> None:
    def with_end(day: date, **spec: object) -> None:
        document = policy_document(vulnerabilities={}, waivers=[waiver(expires=day.isoformat())], **spec)
        require_policy_dates(policy(document), NOW)

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
    """Return each container of the document with each of its keys."""
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
