"""JSON Web Tokens that protect nothing: about nobody, or signed with a key that documentation prints."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest

from gate.model.severity import Severity
from tests.unit.secrets.test_search import search

CLAIMS = {"sub": "248289761001", "iat": 1_700_000_000}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(claims: dict[str, object], key: bytes, algorithm: str = "HS256") -> bytes:
    parts = [encoded(json.dumps(part).encode()) for part in ({"alg": algorithm, "typ": "JWT"}, claims)]
    signature = hmac.new(key, ".".join(parts).encode(), hashlib.new(algorithm.replace("HS", "sha")).name).digest()
    return f"token: {'.'.join(parts)}.{encoded(signature)}\n".encode()


def severities(content: bytes) -> list[Severity]:
    return [hit.severity for hit in search(content, "notes")[0] if hit.rule == "jwt"]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
@pytest.mark.parametrize("key", [b"secret", b"your-256-bit-secret"])
def test_a_token_under_a_printed_key_is_a_sample(key: bytes, algorithm: str) -> None:
    assert severities(token(CLAIMS, key, algorithm)) == []
    assert severities(token(CLAIMS, key + b"1", algorithm)) == [Severity.MEDIUM]


@pytest.mark.parametrize("claims", [{"data": "test"}, {"some": "payload"}, {"foo": "bar"}])
def test_a_token_about_nobody_is_a_sample(claims: dict[str, object]) -> None:
    assert severities(token(claims, b"k4Tn93vQz81x")) == []
    assert search(token(claims, b"k4Tn93vQz81x"), "app/.env") == ([], [])


@pytest.mark.parametrize("claims", [{"k": "v7"}, {"shop": 4}, {"data": "c3Nob3A"}, {"ver": 2, "node": "a4"}, {}])
def test_claims_that_nobody_registered_may_be_a_services(claims: dict[str, object]) -> None:
    assert severities(token(claims, b"k4Tn93vQz81x")) == [Severity.MEDIUM]


@pytest.mark.parametrize("name", ["sub", "exp", "jti", "user_id", "email", "scope", "tenant"])
def test_a_token_about_somebody_is_found_whatever_else_it_says(name: str) -> None:
    claims: dict[str, object] = {"data": "test", "foo": "bar", name: 4_102_444_800}
    assert severities(token(claims, b"k4Tn93vQz81x")) == [Severity.MEDIUM]
