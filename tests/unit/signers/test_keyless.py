"""Signing by identity against a whole Sigstore on loopback: what it gives verifies, and what goes wrong signs nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sigstore.models import Bundle as SigstoreBundle
from sigstore.models import TrustedRoot as SigstoreRoot
from sigstore.verify import Verifier
from sigstore.verify.policy import Identity as SigstoreIdentity

from gate.clock import Clock
from gate.codec.bundle import parse_bundle
from gate.codec.signing_config import parse_signing_config
from gate.codec.statement import render_cosign_statement
from gate.codec.trusted_root import parse_trusted_root
from gate.errors import EvidenceError, GateError, UsageError
from gate.model.evidence_demand import EvidenceDemand, Inclusion
from gate.model.identity import Identity, Matcher
from gate.model.policy_signers import KeylessSigner
from gate.model.trust import Trust
from gate.registry.options import RegistryOptions
from gate.signers.instance import SigstoreAccess, SigstoreFiles
from gate.signers.keyless import SigstoreSigner, open_sigstore
from gate.signers.signer import EvidencedSigner, signer_name
from gate.signers.signing import sign_statement
from gate.verification.signature import VerifiedStatement, verify_statement
from tests.support.signing import GATE, IMAGE
from tests.support.sigstore_access import access
from tests.support.sigstore_server import REQUEST_TOKEN, Asked, Reply, SigstoreServer, run_sigstore
from tests.support.virtual_sigstore import ISSUER, SUBJECT, VirtualSigstore

STATEMENT = render_cosign_statement(IMAGE, {})


def verified(server: SigstoreServer, bundle: bytes, *, demand: EvidenceDemand | None = None) -> VerifiedStatement:
    identity = Identity(subject=Matcher(text=SUBJECT), issuer=Matcher(text=ISSUER))
    demanded = demand or EvidenceDemand(logs=1, timestamps=1, inclusion=Inclusion.PROOF)
    trust = Trust(name="test", root=parse_trusted_root(server.trusted_root()), demand=demanded)
    return verify_statement(
        parse_bundle(bundle), signer=KeylessSigner(identity=identity, trust=trust), now=datetime.now(UTC)
    )


@pytest.mark.parametrize("log", [1, 2])
def test_what_is_signed_verifies_here_and_for_sigstore(server: SigstoreServer, log: int, tmp_path: Path) -> None:
    signer = open_sigstore("sigstore:", access(server, log=log))
    bundle = sign_statement(signer, STATEMENT).bundle
    found = verified(server, bundle)
    assert found.signature.payload == STATEMENT
    assert found.signature.identity is not None
    assert found.signature.identity.claims["ref"] == "refs/heads/main"
    (tmp_path / "root.json").write_bytes(server.trusted_root())
    verifier = Verifier(trusted_root=SigstoreRoot.from_file(str(tmp_path / "root.json")))
    _, payload = verifier.verify_dsse(
        SigstoreBundle.from_json(bundle), SigstoreIdentity(identity=SUBJECT, issuer=ISSUER)
    )
    assert payload == STATEMENT


def test_two_statements_share_a_certificate_and_have_an_entry_each(server: SigstoreServer) -> None:
    signer = open_sigstore("sigstore:public", access(server))
    bundles = [sign_statement(signer, render_cosign_statement(IMAGE, {"n": n})).bundle for n in "ab"]
    assert [asked.service for asked in server.asked] == ["fulcio", "tsa", "rekor2", "tsa", "rekor2"]
    entries = {parse_bundle(bundle).entries[0].log_index for bundle in bundles}
    assert len(entries) == 2


def test_t04_no_service_is_asked_for_a_key(server: SigstoreServer) -> None:
    sign_statement(open_sigstore("sigstore:", access(server)), STATEMENT)
    assert {asked.method for asked in server.asked} == {"POST"}


def test_it_speaks_tls_with_a_private_authority(tmp_path: Path) -> None:
    with run_sigstore(tls=tmp_path) as server:
        verified(server, sign_statement(open_sigstore("sigstore:", access(server)), STATEMENT).bundle)
        distrusting = access(server, options=RegistryOptions(tries=1))
        assert refused(distrusting) == "KEY_SIGSTORE"


def test_a_name_stays_while_the_key_changes(server: SigstoreServer) -> None:
    first, second = (open_sigstore("sigstore:", access(server)) for _ in range(2))
    assert first.public_key != second.public_key
    assert signer_name(first) == signer_name(second) == f"repo:shop/web:ref:refs/heads/main by {ISSUER}"
    assert isinstance(first, EvidencedSigner)
    assert not isinstance(GATE, EvidencedSigner)
    assert signer_name(GATE) == GATE.public_key.key_id


def test_no_token_shows_anywhere(server: SigstoreServer) -> None:
    token = server.oidc.token()
    made = access(server, token=token)
    shown = f"{made!r} {open_sigstore('sigstore:', made)!r}"
    assert token not in shown
    assert token.split(".")[2] not in shown


def refused(made: SigstoreAccess, uri: str = "sigstore:") -> str:
    with pytest.raises(GateError) as error:
        sign_statement(open_sigstore(uri, made), STATEMENT)
    assert len(made.token) < 100 or made.token not in str(error.value)
    return error.value.code


@pytest.mark.parametrize("service", ["fulcio", "rekor2", "tsa"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"", status=500),
        Reply(body=b"down", status=503),
        Reply(body=b'{"message":"no"}', status=400),
        Reply(body=b""),
        Reply(body=b"{}"),
        Reply(body=b"\xff" * 100),
        Reply(body=b"[" * 100_000),
        Reply(body=b" " * 2_000_000),
        Reply(body=b"", status=302, headers={"Location": "http://10.0.0.1/"}),
    ],
    ids=["500", "503", "400", "empty", "object", "binary", "deep", "huge", "redirect"],
)
def test_a_service_that_fails_signs_nothing(server: SigstoreServer, service: str, reply: Reply) -> None:
    server.replies[service] = lambda _: reply
    assert refused(access(server)) == "KEY_SIGSTORE"


@pytest.mark.parametrize("service", ["fulcio", "rekor1", "tsa"])
def test_a_service_of_another_instance_is_found_out_before_anything_is_pushed(
    server: SigstoreServer, service: str
) -> None:
    with run_sigstore(VirtualSigstore(seed=1)) as other:
        other.oidc = server.oidc
        server.replies[service] = lambda asked: other.answer(replace(asked))
        assert refused(access(server, log=1)) == "KEY_SIGSTORE"


def test_a_certificate_for_another_key_is_found_out(server: SigstoreServer) -> None:
    kept: list[Reply] = []

    def stale(asked: Asked) -> Reply:
        del server.replies["fulcio"]
        kept.append(server.answer(asked))
        server.replies["fulcio"] = lambda _: kept[0]
        return kept[0]

    server.replies["fulcio"] = stale
    sign_statement(open_sigstore("sigstore:", access(server)), STATEMENT)
    assert refused(access(server)) == "KEY_SIGSTORE"


def test_an_entry_of_another_signature_is_found_out(server: SigstoreServer) -> None:
    kept: list[Reply] = []

    def stale(asked: Asked) -> Reply:
        del server.replies["rekor2"]
        kept.append(server.answer(asked))
        server.replies["rekor2"] = lambda _: kept[0]
        return kept[0]

    server.replies["rekor2"] = stale
    signer = open_sigstore("sigstore:", access(server))
    sign_statement(signer, STATEMENT)
    with pytest.raises(EvidenceError) as error:
        sign_statement(signer, render_cosign_statement(IMAGE, {"other": "one"}))
    assert error.value.code == "KEY_SIGSTORE"


def test_an_old_timestamp_is_no_answer_to_this_question(server: SigstoreServer) -> None:
    kept: list[Reply] = []

    def stale(asked: Asked) -> Reply:
        if not kept:
            server.replies.pop("tsa")
            kept.append(server.answer(asked))
            server.replies["tsa"] = stale
        return kept[0]

    server.replies["tsa"] = stale
    signer = open_sigstore("sigstore:", access(server))
    sign_statement(signer, STATEMENT)
    with pytest.raises(EvidenceError, match="another question"):
        sign_statement(signer, STATEMENT)


def test_a_root_that_does_not_know_the_log_signs_nothing(server: SigstoreServer) -> None:
    files = SigstoreFiles(root=server.trusted_root(tlogs=[]), signing=server.signing_config())
    assert refused(access(server, find=lambda _: files)) == "KEY_SIGSTORE"


def test_an_instance_without_a_signing_configuration_cannot_sign(server: SigstoreServer) -> None:
    files = SigstoreFiles(root=server.trusted_root(), signing=None)
    assert refused(access(server, find=lambda _: files)) == "KEY_URI"


def test_an_instance_without_timestamps_signs_with_a_log_of_version_1_alone(server: SigstoreServer) -> None:
    def files(log: int) -> SigstoreFiles:
        return SigstoreFiles(root=server.trusted_root(), signing=server.signing_config(log=log, timestamps=False))

    signer = open_sigstore("sigstore:", access(server, find=lambda _: files(1)))
    verified(server, sign_statement(signer, STATEMENT).bundle, demand=EvidenceDemand(logs=1, inclusion=Inclusion.PROOF))
    # A log of version 2 says no time, so nobody could verify it.
    assert refused(access(server, find=lambda _: files(2))) == "KEY_SIGSTORE"


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"aud": "elsewhere"}, "KEY_TOKEN"),
        ({"aud": ["sigstore", "elsewhere"]}, ""),
        ({"exp": 1}, "KEY_TOKEN"),
        ({"exp": 2**62}, "KEY_TOKEN"),
        ({"sub": "\u00e9" * 9}, ""),
        ({"sub": None}, "KEY_TOKEN"),
    ],
)
def test_a_token_that_sigstore_would_refuse_is_refused_first(
    server: SigstoreServer, claims: dict[str, Any], code: str
) -> None:
    made = access(server, token=server.oidc.token(**claims))
    if not code:
        sign_statement(open_sigstore("sigstore:", made), STATEMENT)
        return
    assert refused(made) == code
    assert server.asked == []


@pytest.mark.parametrize("token", ["x", "a.b.c", "a.e30.c", "..", "a.bm8.c", "é.é.é", "a" * 40_000, "a.W10.c"])
def test_what_is_no_token_is_refused(server: SigstoreServer, token: str) -> None:
    assert refused(access(server, token=token)) == "KEY_TOKEN"


def test_a_token_that_fulcio_refuses_signs_nothing(server: SigstoreServer) -> None:
    with run_sigstore() as stranger:
        object.__setattr__(stranger.oidc, "key", VirtualSigstore(seed=2).key)
        assert refused(access(server, token=stranger.oidc.token())) == "KEY_SIGSTORE"


def test_a_token_file_is_read_again_for_the_next_certificate(server: SigstoreServer, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(server.oidc.token() + "\n")
    moment = [datetime.now(UTC)]
    made = access(server, token="", clock=Clock(now=lambda: moment[0]))
    signer = open_sigstore(f"sigstore:?token-file={path}", made)
    path.write_text(server.oidc.token({"iss": ISSUER, "sub": "x", "email": "robot@shop.example"}))
    sign_statement(signer, STATEMENT)
    assert signer.name == f"robot@shop.example by {ISSUER}"


def test_a_missing_token_file_is_refused(server: SigstoreServer, tmp_path: Path) -> None:
    assert refused(access(server, token=""), f"sigstore:?token-file={tmp_path / 'nothing'}") == "KEY_TOKEN"


def test_github_gives_a_token_for_each_certificate(server: SigstoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", REQUEST_TOKEN)
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{server.urls['oidc']}/github?job=1")
    verified(server, sign_statement(open_sigstore("sigstore:", access(server, token="")), STATEMENT).bundle)
    assert [asked.path for asked in server.asked if asked.service == "oidc"] == ["/github?job=1&audience=sigstore"] * 2


@pytest.mark.parametrize(
    "environment",
    [
        {"GITHUB_ACTIONS": "true"},
        {"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"},
        {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "wrong",
            "ACTIONS_ID_TOKEN_REQUEST_URL": "URL/github",
        },
        {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
            "ACTIONS_ID_TOKEN_REQUEST_URL": "URL/nothing",
        },
        {"GITLAB_CI": "true"},
        {"GITLAB_CI": "true", "SIGSTORE_ID_TOKEN": ""},
        {"BUILDKITE": "true", "PATH": "/nowhere"},
        {},
    ],
)
def test_c05_a_ci_system_without_permission_fails_and_nobody_is_asked_to_log_in(
    server: SigstoreServer, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.replace("URL", server.urls["oidc"]))
    assert refused(access(server, token="")) == "KEY_TOKEN"
    assert {asked.service for asked in server.asked} <= {"oidc"}


def test_gitlab_gives_its_token_by_the_variable(server: SigstoreServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITLAB_CI", "true")
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", server.oidc.token())
    verified(server, sign_statement(open_sigstore("sigstore:", access(server, token="")), STATEMENT).bundle)


@pytest.mark.parametrize(
    "uri",
    [
        "sigstore:?token=x",
        "sigstore:?token-file=",
        "sigstore:?audience=a&audience=b",
        "sigstore:?x",
        "sigstore:?a=b&c=d&e=f&g=h&i=j",
    ],
)
def test_a_uri_that_says_something_else_is_refused(server: SigstoreServer, uri: str) -> None:
    assert refused(access(server), uri) == "KEY_URI"


def test_offline_nobody_signs_by_identity(server: SigstoreServer) -> None:
    assert refused(access(server, options=RegistryOptions(offline=True))) == "KEY_URI"
    assert server.asked == []


def test_the_name_chooses_the_instance(server: SigstoreServer) -> None:
    seen: list[str] = []
    made = access(server)

    def find(name: str) -> SigstoreFiles:
        seen.append(name)
        return made.find(name)

    named = replace(made, find=find)
    open_sigstore("sigstore:company", named)
    open_sigstore("sigstore:?audience=sigstore", named)
    assert seen == ["company", "public"]


def test_the_configuration_of_the_server_is_one_that_clients_read(server: SigstoreServer) -> None:
    chosen = parse_signing_config(server.client_config(log=1), datetime.now(UTC))
    assert chosen.authority == server.urls["fulcio"]
    assert parse_trusted_root(server.client_config()).logs == parse_trusted_root(server.trusted_root()).logs
    with pytest.raises(UsageError) as error:
        parse_signing_config(json.dumps({"mediaType": "x"}).encode(), datetime.now(UTC))
    assert error.value.code == "ROOT_MALFORMED"


def test_a_certificate_that_is_about_to_end_is_not_used_again(server: SigstoreServer) -> None:
    moment = [datetime.now(UTC)]
    made = access(server, clock=Clock(now=lambda: moment[0]))
    signer = open_sigstore("sigstore:", made)
    assert isinstance(signer, SigstoreSigner)
    sign_statement(signer, STATEMENT)
    sign_statement(signer, STATEMENT)
    assert [asked.service for asked in server.asked].count("fulcio") == 1
    moment[0] += timedelta(minutes=9, seconds=15)
    sign_statement(signer, STATEMENT)
    assert [asked.service for asked in server.asked].count("fulcio") == 2
