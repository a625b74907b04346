"""One call to the registry API: path, login and the meaning of the status.

Specification: distribution-spec 1.1, "API"; formats reference, sections 3.1 and 3.2.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gate.clock import Deadline
from gate.errors import RegistryError
from gate.model.reference import Repository
from gate.registry.addresses import Origin, Target, api_origin
from gate.registry.auth import PULL, Actions, Authorizer, with_login_step
from gate.registry.challenge import parse_challenges
from gate.registry.faults import status_fault
from gate.registry.options import MAX_ERROR_BYTES, RegistryOptions
from gate.registry.pool import RegistryPool
from gate.registry.transport import Answer, Method, Request, Transport

HTML: Final = "text/html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is asked of a repository. `path` follows `/v2/<name>/`; a `target` that the registry gave replaces it."""

    method: Method
    repository: Repository
    path: str
    doing: str
    actions: Actions = PULL
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Path | None = field(default=None, repr=False)
    target: Target | None = None
    by_digest: bool = False
    idempotent: bool = True


class RegistryApi:
    """Calls to any number of registries under one set of options and one deadline; safe to use from several threads.

    `pool` is what outlives this deadline; None: a pool for these calls alone, which `close` empties.
    """

    def __init__(self, options: RegistryOptions, deadline: Deadline, pool: RegistryPool | None = None) -> None:
        self.options = options
        self.deadline = deadline
        self._own = pool is None
        self._pool = pool if pool is not None else RegistryPool(options)
        self._registries: dict[Origin, tuple[Transport, Authorizer]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections, but not those of a pool that others use too."""
        with self._lock:
            self._registries.clear()
        if self._own:
            self._pool.close()

    def transport(self, repository: Repository) -> Transport:
        """Return the connections to the registry of a repository."""
        return self._registry(repository)[0]

    def open(self, call: Call) -> Answer:
        """Make a call and give the answer with its body unread, of any status except 401.

        Raises:
            RegistryError: `REG_AUTH` for a 401 that cannot be met, else as `gate.registry.faults` says.
        """
        transport, _ = self._registry(call.repository)
        return transport.retrying(lambda: self._exchange(call, self.deadline), idempotent=call.idempotent)

    def read(self, call: Call, limit_bytes: int) -> tuple[Answer, bytes]:
        """Make a call and read its whole body in the time for one request; a body that breaks off is tried again."""
        transport, _ = self._registry(call.repository)

        def attempt() -> tuple[Answer, bytes]:
            answer = self._exchange(call, self.deadline.within(self.options.request_seconds))
            return answer, answer.read(limit_bytes if answer.status < 400 else MAX_ERROR_BYTES)

        return transport.retrying(attempt, idempotent=call.idempotent)

    def demand(self, call: Call, limit_bytes: int, *statuses: int) -> tuple[Answer, bytes]:
        """Make a call whose status must be one of these.

        Raises:
            RegistryError: of the status's code for any other; `REG_MALFORMED` for a page for people.
        """
        answer, body = self.read(call, limit_bytes)
        if answer.status not in statuses:
            raise status_fault(answer.status, body, answer.request.target.origin, call.doing)
        if answer.media_type.lower() == HTML:
            raise RegistryError(f"a web page came back while {call.doing}", code="REG_MALFORMED", seen=HTML)
        return answer, body

    def _exchange(self, call: Call, deadline: Deadline) -> Answer:
        """Ask, meet a challenge once, and once more if the token was too narrow; any further 401 ends it (attack R02)."""
        transport, authorizer = self._registry(call.repository)
        answer = transport.send(self._request(call, authorizer.headers(call.repository, call.actions)), deadline)
        for _ in range(2):
            if answer.status != 401 or answer.request.target.origin != transport.named:
                return answer
            answer.drain()
            headers = authorizer.answer(answer, call.repository, call.actions)
            answer = transport.send(self._request(call, headers), deadline)
            if not _asks_for_more(answer):
                break
        if answer.status == 401:
            raise with_login_step(
                status_fault(401, answer.read(MAX_ERROR_BYTES), transport.named, call.doing), call.actions
            )
        return answer

    def _request(self, call: Call, credentials: Mapping[str, str]) -> Request:
        origin = api_origin(call.repository, self.options)
        return Request(
            method=call.method,
            target=call.target or Target(origin, f"/v2/{call.repository.path}/{call.path}"),
            doing=call.doing,
            headers=call.headers,
            credentials=credentials,
            body=call.body,
            by_digest=call.by_digest,
            idempotent=call.idempotent,
        )

    def _registry(self, repository: Repository) -> tuple[Transport, Authorizer]:
        origin = api_origin(repository, self.options)
        with self._lock:
            if origin not in self._registries:
                transport = Transport(origin, self.options, self.deadline, self._pool.registry(origin))
                self._registries[origin] = (transport, Authorizer(transport))
            return self._registries[origin]


def _asks_for_more(answer: Answer) -> bool:
    challenges = parse_challenges(answer.header("WWW-Authenticate"))
    return any(challenge.error == "insufficient_scope" for challenge in challenges)
