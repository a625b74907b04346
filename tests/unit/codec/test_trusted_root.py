"""Trusted roots: read whole or refused; windows that cannot be read are never open."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gate.codec.trusted_root import MAX_ROOT_BYTES, parse_trusted_root
from gate.errors import UsageError
from gate.model.digest import Digest
from gate.model.signer import KeyAlgorithm
from tests.support.virtual_certificates import b64
from tests.support.virtual_log import VirtualLog
from tests.support.virtual_sigstore import DAY, END, START, VirtualSigstore

VS = VirtualSigstore()
FIELDS = VS.trusted_root_fields()


def refused(content: bytes) -> str:
    with pytest.raises(UsageError) as error:
        parse_trusted_root(content)
    return error.value.code


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    fields = copy.deepcopy(FIELDS)
    change(fields)
    return json.dumps(fields).encode()


def test_a_root_is_read_whole() -> None:
    content = VS.trusted_root()
    root = parse_trusted_root(content)
    assert root.digest == Digest.of(content)
    assert [log.name for log in root.logs] == [VS.rekor1.host, VS.rekor2.host]
    assert [log.log_id for log in root.logs] == [VS.rekor1.log_id, VS.rekor2.log_id]
    assert [log.hint for log in root.logs] == [VS.rekor1.log_id[:4], VS.rekor2.log_id[:4]]
    assert root.certificate_logs[0].log_id == VS.ct.log_id
    assert root.certificate_authorities[0].certificates == VS.chain()
    assert [authority.url for authority in root.timestamp_authorities] == [VS.tsa.uri, VS.other_tsa.uri]
    assert (root.logs[0].validity.start, root.logs[0].validity.end, root.skipped) == (START, None, 0)


def test_a_root_says_how_old_and_how_long_it_is() -> None:
    root = parse_trusted_root(VS.trusted_root())
    assert (root.newest, root.ends) == (START, None)
    ended, open_ended = (VS.authority_entry(start=START + DAY, end=end) for end in (END, None))
    later = parse_trusted_root(VS.trusted_root(certificateAuthorities=[ended, VS.authority_entry(end=END - DAY)]))
    assert (later.newest, later.ends) == (START + DAY, END)
    assert parse_trusted_root(VS.trusted_root(certificateAuthorities=[ended, open_ended])).ends is None
    kinds = ("tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities")
    empty = parse_trusted_root(VS.trusted_root(**{kind: [] for kind in kinds}))
    assert (empty.newest, empty.ends) == (None, None)


def test_the_root_inside_a_client_configuration_is_read() -> None:
    media_type = "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json"
    config = {"mediaType": media_type, "trustedRoot": FIELDS, "signingConfig": {}}
    assert len(parse_trusted_root(json.dumps(config).encode()).logs) == 2


@pytest.mark.parametrize("name", ["sigstore.dev", "sigstage.dev"])
def test_the_roots_that_the_sigstore_package_ships_are_read(name: str) -> None:
    folder = resources.files("sigstore").joinpath("_store", f"https%3A%2F%2Ftuf-repo-cdn.{name}")
    root = parse_trusted_root(folder.joinpath("trusted_root.json").read_bytes())
    assert root.skipped == 0
    assert root.logs
    assert root.timestamp_authorities


@pytest.mark.parametrize(
    "window",
    [
        {},
        {"end": "2026-01-01T00:00:00Z"},
        {"start": None},
        {"start": "2026-01-01"},
        {"start": "2026-01-01T00:00:00"},
        {"start": "2026-13-01T00:00:00Z"},
        {"start": "2026-W01-1T00:00:00Z"},
        {"start": 0},
        {"start": "2026-01-01T00:00:00Z", "end": ""},
        {"start": "2026-01-01T00:00:00Z", "end": "never"},
        {"start": "2026-01-01T00:00:00Z", "end": "2025-12-31T23:59:59Z"},
        {"start": "2026-01-01T00:00:00Z", "End": "2026-01-02T00:00:00Z"},
        None,
    ],
    ids=range(13),
)
def test_t06_a_window_that_cannot_be_read_is_no_open_one(window: object) -> None:
    for name in ("tlogs", "ctlogs"):

        def change(fields: dict[str, Any], name: str = name) -> None:
            fields[name][0]["publicKey"]["validFor"] = window

        assert refused(changed(change)) == "ROOT_MALFORMED"
    for name in ("certificateAuthorities", "timestampAuthorities"):

        def change_authority(fields: dict[str, Any], name: str = name) -> None:
            fields[name][0]["validFor"] = window

        assert refused(changed(change_authority)) == "ROOT_MALFORMED"


def test_t06_an_end_may_be_open_or_null() -> None:
    def change(fields: dict[str, Any]) -> None:
        fields["tlogs"][0]["publicKey"]["validFor"] = {"start": "2021-01-12T11:53:27.123456789Z", "end": None}
        fields["tlogs"][1]["publicKey"]["validFor"] = {
            "start": "2021-01-12T11:53:27+02:00",
            "end": "2026-01-01T00:00:00Z",
        }

    first, second = parse_trusted_root(changed(change)).logs
    assert (first.validity.start.microsecond, first.validity.end) == (123456, None)
    assert second.validity.start == datetime(2021, 1, 12, 9, 53, 27, tzinfo=UTC)
    end = datetime(2026, 1, 1, tzinfo=UTC)
    assert second.validity.covers(end)
    assert not second.validity.covers(end + DAY)


def test_a_key_id_is_computed_never_believed() -> None:
    for name in ("tlogs", "ctlogs"):

        def change(fields: dict[str, Any], name: str = name) -> None:
            fields[name][0]["logId"]["keyId"] = b64(bytes(32))

        assert refused(changed(change)) == "ROOT_MALFORMED"


def test_t08_unknown_kinds_of_keys_are_skipped_and_counted() -> None:
    def change(fields: dict[str, Any]) -> None:
        fields["tlogs"][0]["publicKey"] |= {"keyDetails": "ML_DSA_65", "rawBytes": "AAAA"}
        fields["ctlogs"][0]["publicKey"] |= {"keyDetails": "ML_DSA_65", "rawBytes": "AAAA"}

    root = parse_trusted_root(changed(change))
    assert (len(root.logs), root.certificate_logs, root.skipped) == (1, (), 2)


@pytest.mark.parametrize(
    ("key", "details"),
    [
        (ec.derive_private_key(9, ec.SECP384R1()), "PKIX_ECDSA_P384_SHA_384"),
        (ec.derive_private_key(9, ec.SECP521R1()), "PKIX_ECDSA_P521_SHA_512"),
        (rsa.generate_private_key(65537, 2048), "PKIX_RSA_PKCS1V15_2048_SHA256"),
    ],
)
def test_every_kind_of_log_key_is_read_as_what_it_is(key: ec.EllipticCurvePrivateKey, details: str) -> None:
    log = VirtualLog(version=2, host="log.example", key=key).listed(start=START)
    assert log["publicKey"]["keyDetails"] == details
    assert len(parse_trusted_root(VS.trusted_root(tlogs=[log])).logs) == 1
    other = {**log, "publicKey": {**log["publicKey"], "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}
    assert refused(VS.trusted_root(tlogs=[other])) == "ROOT_MALFORMED"


def test_an_old_certificate_log_s_key_is_in_pkcs1() -> None:
    key = rsa.generate_private_key(65537, 2048)
    log = VirtualLog(version=1, host="ct.example", key=key).listed(start=START, end=END)
    raw = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    log["publicKey"] |= {"keyDetails": "PKCS1_RSA_PKCS1V5", "rawBytes": b64(raw)}
    root = parse_trusted_root(VS.trusted_root(ctlogs=[log]))
    assert root.certificate_logs[0].key.algorithm is KeyAlgorithm.RSA_PKCS1


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: fields.update(mediaType="application/json"),
        lambda fields: fields.pop("mediaType"),
        lambda fields: fields.update(tlogs={}),
        lambda fields: fields.update(tlogs=fields["tlogs"] * 40),
        lambda fields: fields["tlogs"][0].pop("publicKey"),
        lambda fields: fields["tlogs"][0].pop("logId"),
        lambda fields: fields["tlogs"][0]["publicKey"].update(rawBytes="AAAA"),
        lambda fields: fields["tlogs"][0]["publicKey"].update(rawBytes="!"),
        lambda fields: fields["certificateAuthorities"][0].pop("certChain"),
        lambda fields: fields["certificateAuthorities"][0]["certChain"].update(certificates=[]),
        lambda fields: fields["certificateAuthorities"][0]["certChain"]["certificates"].__imul__(5),
        lambda fields: fields["certificateAuthorities"][0]["certChain"]["certificates"][0].update(rawBytes="AAAA"),
    ],
    ids=range(12),
)
def test_a_malformed_root_is_refused_whole(change: Callable[[dict[str, Any]], object]) -> None:
    assert refused(changed(change)) == "ROOT_MALFORMED"


@pytest.mark.parametrize(
    "content", [b"", b"{", b"null", b"[]", b"\xff", b'{"a":1,"a":1}', b" " * (MAX_ROOT_BYTES + 1)], ids=range(7)
)
def test_what_is_no_root_is_refused(content: bytes) -> None:
    assert refused(content) == "ROOT_MALFORMED"
