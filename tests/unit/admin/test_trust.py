"""Trusted roots that ship, and those that come from files and PEM parts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gate.admin.trust import import_trust, read_trust_file, trust_status
from gate.admin.trust_parts import TrustParts, root_of_parts
from gate.codec.signing_config import parse_signing_config
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError, KeyFileError, UsageError
from gate.model.digest import Digest
from gate.model.signing import LogService
from gate.model.trust import TrustSource
from gate.model.validity import Validity
from gate.trust.store import TrustStore
from tests.support.signing import NOW
from tests.support.virtual_sigstore import START, VirtualSigstore, certificate_pem

SIGSTORE = VirtualSigstore()
ROOT = SIGSTORE.trusted_root()
PEM, SPKI = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo


@pytest.fixture
def store(tmp_path: Path) -> TrustStore:
    return TrustStore(tmp_path / "trust")


def config(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    def service(url: str, version: int = 1, operator: str = "one", **window: str) -> dict[str, Any]:
        valid = {"start": "2020-01-01T00:00:00Z", **window}
        return {"url": url, "majorApiVersion": version, "operator": operator, "validFor": valid}

    made = {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service("https://ca.example")],
        "oidcUrls": [service("https://login.example")],
        "rekorTlogUrls": [
            service("https://log3.example", 3),
            service("https://late.example", 2, start="2098-01-01T00:00:00Z"),
            service("https://ended.example", 2, end="2021-01-01T00:00:00Z"),
            service("https://log1.example", 1),
            service("https://log2.example", 2),
            service("https://other.example", 2, "two"),
        ],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaUrls": [service("https://tsa.example"), service("https://tsa.two.example", 1, "two")],
        "tsaConfig": {"selector": "ALL"},
    }
    return made | changes


def parsed_config(**changes: Any) -> Any:  # noqa: ANN401 - any field
    return parse_signing_config(json.dumps(config(**changes)).encode(), NOW)


def test_the_public_root_is_there_without_any_file(store: TrustStore) -> None:
    files = store.load("public")
    root = parse_trusted_root(files.root)
    assert files.entry.source is TrustSource.SHIPPED
    assert {log.url for log in root.logs} >= {"https://rekor.sigstore.dev", "https://log2025-1.rekor.sigstore.dev"}
    assert files.signing is not None
    assert parse_signing_config(files.signing, NOW).authority == "https://fulcio.sigstore.dev"
    assert not store.folder.exists()


def test_an_imported_root_is_kept_by_its_digest(store: TrustStore) -> None:
    entry = import_trust(store, "company", ROOT, signing=None, digest=Digest.of(ROOT), now=NOW)
    assert (entry.root, entry.source) == (Digest.of(ROOT), TrustSource.FILE)
    assert store.load("company").root == ROOT
    shown = {item.name: item for item in trust_status(store, NOW + timedelta(days=2))}
    assert (shown["company"].age, shown["company"].expires, shown["public"].problem) == (timedelta(days=2), None, None)


def test_a_client_trust_configuration_brings_both(store: TrustStore) -> None:
    both = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": json.loads(ROOT),
        "signingConfig": config(),
    }
    import_trust(store, "company", json.dumps(both).encode(), signing=None, digest=None, now=NOW)
    files = store.load("company")
    assert files.signing is not None
    assert parse_signing_config(files.signing, NOW).authority == "https://ca.example"
    assert parse_trusted_root(files.root).logs == parse_trusted_root(ROOT).logs


def test_a_file_with_another_digest_is_refused(store: TrustStore) -> None:
    with pytest.raises(EvidenceError) as refused:
        import_trust(store, "company", ROOT, signing=None, digest=Digest.of(b"another"), now=NOW)
    assert refused.value.code == "ROOT_DIGEST"
    assert store.names() == ("public",)


@pytest.mark.parametrize("content", [b"", b"{}", b"\x00", b"null", ROOT[:-40]])
def test_a_file_that_is_no_root_is_refused_and_not_kept(store: TrustStore, content: bytes) -> None:
    with pytest.raises(UsageError) as refused:
        import_trust(store, "company", content, signing=None, digest=None, now=NOW)
    assert refused.value.code == "ROOT_MALFORMED"
    assert store.names() == ("public",)


@pytest.mark.parametrize("window", [{"start": "yesterday"}, {"end": "2030-01-01T00:00:00Z"}, {"start": "2026-01-01"}])
def test_t06_a_window_that_cannot_be_read_is_never_open(store: TrustStore, window: dict[str, str]) -> None:
    fields = SIGSTORE.trusted_root_fields()
    fields["tlogs"][0]["publicKey"]["validFor"] = window
    with pytest.raises(UsageError) as refused:
        import_trust(store, "company", json.dumps(fields).encode(), signing=None, digest=None, now=NOW)
    assert refused.value.code == "ROOT_MALFORMED"


def test_t08_a_key_of_an_unknown_kind_is_skipped_and_counted(store: TrustStore) -> None:
    fields = SIGSTORE.trusted_root_fields()
    unknown = json.loads(json.dumps(fields["tlogs"][0]))
    unknown["publicKey"]["keyDetails"] = "PKIX_MLDSA_65"
    fields["tlogs"].append(unknown)
    import_trust(store, "company", json.dumps(fields).encode(), signing=None, digest=None, now=NOW)
    root = parse_trusted_root(store.load("company").root)
    assert (len(root.logs), root.skipped) == (2, 1)


def test_a_missing_name_is_no_evidence(store: TrustStore) -> None:
    with pytest.raises(EvidenceError) as refused:
        store.load("company")
    assert refused.value.code == "ROOT_MISSING"


def parts(**changes: Any) -> TrustParts:  # noqa: ANN401 - any field
    chain = b"".join(map(certificate_pem, SIGSTORE.chain()))
    made: dict[str, Any] = {
        "validity": Validity(start=START),
        "authorities": (chain,),
        "certificate_logs": (SIGSTORE.ct.key.public_key().public_bytes(PEM, SPKI),),
        "logs": {log.uri: log.key.public_key().public_bytes(PEM, SPKI) for log in (SIGSTORE.rekor1, SIGSTORE.rekor2)},
        "timestamp_authorities": (b"".join(map(certificate_pem, SIGSTORE.tsa.chain())),),
    }
    return TrustParts(**(made | changes))


def test_parts_make_the_root_that_the_operator_would_have_handed_out(store: TrustStore) -> None:
    import_trust(store, "company", root_of_parts(parts()), signing=None, digest=None, now=NOW)
    made, whole = parse_trusted_root(store.load("company").root), parse_trusted_root(ROOT)
    assert {(log.url, log.log_id, log.key, log.validity) for log in made.logs} == {
        (log.url, log.log_id, log.key, log.validity) for log in whole.logs
    }
    assert made.certificate_authorities[0].certificates == whole.certificate_authorities[0].certificates
    assert made.timestamp_authorities[0].certificates == whole.timestamp_authorities[0].certificates
    assert made.certificate_logs[0].log_id == whole.certificate_logs[0].log_id


def test_parts_count_in_their_window_alone() -> None:
    until = datetime(2027, 1, 1, tzinfo=UTC)
    made = parse_trusted_root(root_of_parts(parts(validity=Validity(start=START, end=until))))
    assert {log.validity for log in made.logs} == {Validity(start=START, end=until)}


def test_a_chain_without_its_root_is_refused() -> None:
    leaf = x509.load_der_x509_certificate(SIGSTORE.chain()[0]).public_bytes(PEM)
    with pytest.raises(UsageError) as refused:
        root_of_parts(parts(authorities=(leaf,)))
    assert refused.value.code == "ROOT_MALFORMED"
    with pytest.raises(UsageError) as refused:
        root_of_parts(parts(timestamp_authorities=(b"no PEM",)))
    assert refused.value.code == "ROOT_MALFORMED"


def test_a_part_that_is_no_key_is_refused() -> None:
    with pytest.raises(KeyFileError) as refused:
        root_of_parts(parts(certificate_logs=(b"no PEM",)))
    assert refused.value.code == "KEY_MALFORMED"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read_trust_file(tmp_path / "nothing")
    assert refused.value.code == "ROOT_MALFORMED"


def test_services_are_chosen_by_version_window_and_operator() -> None:
    chosen = parsed_config()
    assert (chosen.authority, chosen.issuer) == ("https://ca.example", "https://login.example")
    assert chosen.logs == (LogService(url="https://log2.example", version=2),)
    assert chosen.timestamps == ("https://tsa.example", "https://tsa.two.example")


def test_exactly_as_many_logs_as_demanded_one_an_operator() -> None:
    chosen = parsed_config(rekorTlogConfig={"selector": "EXACT", "count": 2})
    assert [log.url for log in chosen.logs] == ["https://log2.example", "https://other.example"]


@pytest.mark.parametrize(
    "changes",
    [
        {"rekorTlogConfig": {"selector": "EXACT", "count": 3}},
        {"rekorTlogConfig": {"selector": "SOME"}},
        {"caUrls": []},
        {
            "caUrls": [
                {"url": "https://ca.example", "majorApiVersion": 2, "validFor": {"start": "2020-01-01T00:00:00Z"}}
            ]
        },
        {"caUrls": [{"url": "https://ca.example", "majorApiVersion": 1, "validFor": {}}]},
        {"caUrls": [{"url": "https://ca.example", "majorApiVersion": 1, "validFor": {"start": "soon"}}]},
        {"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.1+json"},
        {
            "tsaUrls": [
                {"url": "https://x.example", "majorApiVersion": 1, "validFor": {"start": "2098-01-01T00:00:00Z"}}
            ]
        },
    ],
)
def test_too_few_services_are_not_made_do_with(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as refused:
        parsed_config(**changes)
    assert refused.value.code == "ROOT_MALFORMED"


def test_an_instance_without_log_or_timestamps_says_so() -> None:
    chosen = parsed_config(rekorTlogUrls=[], tsaUrls=[])
    assert (chosen.logs, chosen.timestamps) == ((), ())
