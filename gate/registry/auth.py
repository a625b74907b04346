"""Logins: what is sent to a registry so that it lets us in, and nowhere else.

A credential is bound to the registry that it was stored for. A token is asked only from that registry's own host, a known
partner or a host that the operator named; the scope is always the repository and actions that are needed, never the
ones that the registry asks for (attack R05).

Specification: distribution's token specification; formats reference, section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from gate.codec.encodings import encode_base64
from gate.codec.strict_json import Fault, ObjectView, parse_object
from gate.disk.named import waiting_at_most
from gate.errors import RegistryError
from gate.model.reference import Repository
from gate.registry.addresses import Target, parse_derived, require_realm
from gate.registry.challenge import Challenge, parse_challenges
from gate.registry.faults import status_fault
from gate.registry.options import MAX_TOKEN_BYTES, Credential
from gate.registry.pool import Grant
from gate.registry.transport import Answer, Request, Transport

_TOKEN_FAULT: Final = Fault(RegistryError, "REG_MALFORMED", "the token service's answer")
_DEFAULT_LIFE_SECONDS: Final = 60
# A token is renewed when a fifth of its life is left, so that none ends on the way.
_USED_PART: Final = 0.8
_NO_REFRESH_GRANT: Final = frozenset({404, 405})

Actions = tuple[str, ...]
PULL: Final[Actions] = ("pull",)
PUSH: Final[Actions] = ("pull", "push")
DELETE: Final[Actions] = ("pull", "delete")


class Authorizer:
    """Logs in at one registry, by repository and actions; what is granted is kept with the transport's registry."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._held = transport.held

    def headers(self, repository: Repository, actions: Actions) -> Mapping[str, str]:
        """Return the headers that were granted before and still hold, or none."""
        grant = self._held.grants.get((repository, actions))
        return grant.headers if grant and grant.ends > self._transport.deadline.clock.monotonic() else {}

    def answer(self, challenged: Answer, repository: Repository, actions: Actions) -> Mapping[str, str]:
        """Meet a 401 and give the headers for the next try.

        Raises:
            RegistryError: `REG_AUTH` where there is nothing to meet it with, `REG_AUTH_LEAK`, `REG_MALFORMED` and others.
        """
        challenges = parse_challenges(challenged.header("WWW-Authenticate"))
        if not challenges:
            raise RegistryError(f"{self._transport.named} does not say how to log in", code="REG_AUTH")
        key = (repository, actions)
        # A turn for each repository: four layers at once ask for one token and not for four, and a slow one delays no other.
        with self._held.turns.take(key, self._transport.deadline, "waiting for a token"):
            earlier = self._held.grants.get(key)
            refused = challenged.request.credentials
            if earlier and earlier.headers != refused:
                return earlier.headers
            if refused:
                # What was accepted once is not any more: whoever keeps the login may have renewed it.
                self._held.logins.drop(repository)
            grant = self._granted(challenges[0], challenged, repository, actions)
            self._held.grants.put(key, grant)
        return grant.headers

    def _granted(self, challenge: Challenge, answer: Answer, repository: Repository, actions: Actions) -> Grant:
        credential = self._find(repository)
        if credential and credential.registry_token:
            if not _is_token(credential.registry_token):
                raise RegistryError(f"the token that is stored for {self._transport.named} is none", code="REG_AUTH")
            return Grant(_bearer(credential.registry_token), float("inf"))
        if challenge.scheme == "basic":
            if not credential or not credential.password:
                raise RegistryError(f"{self._transport.named} wants a login and none is stored for it", code="REG_AUTH")
            return Grant(_basic(credential), float("inf"))
        trusted = self._transport.settings.token_hosts
        realm = parse_derived(challenge.realm, answer.request.target, self._transport.named, trusted)
        require_realm(realm, self._transport.named, trusted)
        return self._ask(realm, challenge, credential, f"repository:{repository.path}:{','.join(actions)}", actions)

    def _find(self, repository: Repository) -> Credential | None:
        now = self._transport.deadline.clock.monotonic()
        known = self._held.logins.get(repository)
        if known is not None and now - known[1] < self._held.login_seconds:
            return known[0]
        with waiting_at_most(self._transport.deadline.remaining()):
            found = self._transport.options.credentials.find(repository)
        self._held.logins.put(repository, (found, now))
        return found

    def _ask(
        self, realm: Target, challenge: Challenge, credential: Credential | None, scope: str, actions: Actions
    ) -> Grant:
        asked = self._transport.deadline.clock.monotonic()
        query = {"scope": scope, **({"service": challenge.service} if challenge.service else {})}
        if credential and credential.identity_token:
            answer, body = self._refresh(realm, query, credential)
            if answer.status not in _NO_REFRESH_GRANT:
                return self._token(answer, body, asked, actions)
        joined = f"{realm.path}{'&' if '?' in realm.path else '?'}{urlencode(query)}"
        headers = _basic(credential) if credential and credential.password else {}
        target = Target(realm.origin, joined, realm.derived)
        answer, body = self._transport.fetch(
            Request(method="GET", target=target, doing="asking for a token", headers=headers, redirects=False),
            MAX_TOKEN_BYTES,
        )
        return self._token(answer, body, asked, actions)

    def _refresh(self, realm: Target, query: Mapping[str, str], credential: Credential) -> tuple[Answer, bytes]:
        form = {
            "grant_type": "refresh_token", "client_id": "gate", "refresh_token": credential.identity_token, **query,
        }  # fmt: skip
        request = Request(
            method="POST",
            target=realm,
            doing="asking for a token",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode("ascii"),
            idempotent=False,
        )
        return self._transport.fetch(request, MAX_TOKEN_BYTES)

    def _token(self, answer: Answer, body: bytes, asked: float, actions: Actions) -> Grant:
        if answer.status != 200:
            raise with_login_step(
                status_fault(answer.status, body, answer.request.target.origin, "asking for a token"), actions
            )
        view = parse_object(body, _TOKEN_FAULT, limit_bytes=MAX_TOKEN_BYTES)
        token = view.optional_text("token") or view.optional_text("access_token")
        if not _is_token(token):
            raise _TOKEN_FAULT.refuse("holds no token")
        return Grant(_bearer(token), asked + _life_seconds(view) * _USED_PART)


def with_login_step(fault: RegistryError, actions: Actions) -> RegistryError:
    """Return a fault with the next step that fits what was asked for: a login that may read, or one that may also write."""
    if fault.code in {"REG_AUTH", "REG_DENIED"} and set(actions) - set(PULL):
        fault.next_step = (
            "Reading works with this login or without one: use a login that may push to (write) this repository, with docker"
            " login or --authfile."
        )
    return fault


def _life_seconds(view: ObjectView) -> int:
    return view.optional_integer("expires_in") or _DEFAULT_LIFE_SECONDS


def _is_token(text: str) -> bool:
    """Say whether a text can stand in a header: it may be foreign, and a line break would begin another header."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _basic(credential: Credential) -> Mapping[str, str]:
    pair = f"{credential.username}:{credential.password}".encode()
    return {"Authorization": f"Basic {encode_base64(pair)}"}
