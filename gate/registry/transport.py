"""Requests over HTTP: one answer for one request, within a deadline, with every byte counted.

Does what `requests` leaves open: redirects are followed by hand and carry no credentials to another origin, cookies and
the environment are ignored, no content coding is accepted, retries are only for idempotent requests and listed causes.

Specification: distribution-spec 1.1; formats reference, sections 3.1 and 3.5; attacks R01 to R07, R10, R11.
"""

from __future__ import annotations

import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeVar

import requests
from urllib3.response import HTTPResponse

from gate.codec.strict_json import printable
from gate.errors import RegistryError
from gate.registry.addresses import Origin, Target, check_resolved, is_loopback, parse_derived
from gate.registry.connections import BoundedAdapter, cut_after, trust
from gate.registry.deadline import Deadline
from gate.registry.faults import NETWORK_ERRORS, TRANSIENT_STATUSES, TransientError, network_fault, status_fault
from gate.registry.options import MAX_ERROR_BYTES, MAX_REDIRECTS, RegistryOptions

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE"]
CHUNK_BYTES: Final = 256 * 1024

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `doing` continues "while ..." in messages; `credentials` are headers for the named origin alone.

    `idempotent` allows another try; `redirects` allows a GET or HEAD to be followed elsewhere.
    """

    method: Method
    target: Target
    doing: str
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Path | None = field(default=None, repr=False)
    idempotent: bool = True
    redirects: bool = True


class Answer:
    """An answer whose body is still to be read; all of it is untrusted."""

    def __init__(self, response: requests.Response, request: Request, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline
        self.request = request
        self.status = response.status_code

    def header(self, name: str) -> str:
        """Give a header's text, or ""."""
        return self._response.headers.get(name, "")

    @property
    def media_type(self) -> str:
        """Give the content type without its parameters."""
        return self.header("Content-Type").partition(";")[0].strip()

    def close(self) -> None:
        """Give the connection up."""
        self._response.close()

    def chunks(self, limit_bytes: int, *, limit_code: str = "LIMIT_RESPONSE") -> Iterator[bytes]:
        """Read the body as it comes.

        Raises:
            RegistryError: over the limit, over the deadline, or for a malformed header.
            TransientError: the body broke off.
        """
        self._check_headers(limit_bytes, limit_code)
        seen = 0
        with self._reading() as raw:
            while chunk := raw.read1(CHUNK_BYTES, decode_content=False):
                seen += len(chunk)
                if seen > limit_bytes:
                    raise self._too_large(limit_bytes, limit_code)
                yield chunk
                self._deadline.check(self.request.doing)

    def read(self, limit_bytes: int) -> bytes:
        """Read the whole body; raises as `chunks`."""
        return b"".join(self.chunks(limit_bytes))

    @contextmanager
    def _reading(self) -> Iterator[HTTPResponse]:
        raw = self._response.raw
        try:
            with cut_after(self._deadline.remaining(), raw.shutdown):
                yield raw
            self._deadline.check(self.request.doing)
        except NETWORK_ERRORS as error:
            raise network_fault(error, self.request.target.origin, timed_out=self._deadline.expired) from error
        finally:
            self.close()

    def _check_headers(self, limit_bytes: int, limit_code: str) -> None:
        """A compressed body could unfold without end, and a second length lets two readers see two bodies."""
        if self.header("Content-Encoding").lower() not in {"", "identity"}:
            self.close()
            raise RegistryError(
                "the answer is compressed although that was not accepted",
                code="LIMIT_RESPONSE",
                expected="identity",
                seen=printable(self.header("Content-Encoding")),
            )
        length = self.header("Content-Length")
        if length and not _LENGTH.fullmatch(length):
            self.close()
            raise RegistryError("the answer's length is no number", code="REG_MALFORMED", seen=printable(length))
        if length and int(length) > limit_bytes and self.request.method != "HEAD":
            self.close()
            raise self._too_large(limit_bytes, limit_code, length)

    def _too_large(self, limit_bytes: int, code: str, length: str = "more") -> RegistryError:
        return RegistryError(
            f"the answer is too large while {self.request.doing}",
            code=code,
            expected=f"at most {limit_bytes} bytes",
            seen=length,
        )


class Transport:
    """Sends requests to one registry (`named`) and to where it points; safe to use from several threads."""

    def __init__(self, named: Origin, options: RegistryOptions, deadline: Deadline) -> None:
        self.named = named
        self.options = options
        self.deadline = deadline
        self._random = secrets.SystemRandom()
        self._sessions: dict[bool, requests.Session] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()

    def fetch(self, request: Request, limit_bytes: int) -> tuple[Answer, bytes]:
        """Send a request and read its whole body, within the time for one request; a broken body is tried again."""

        def attempt() -> tuple[Answer, bytes]:
            answer = self.send(request, self.deadline.within(self.options.request_seconds))
            limit = limit_bytes if answer.status < 400 else MAX_ERROR_BYTES
            return answer, answer.read(limit)

        return self.retrying(attempt, idempotent=request.idempotent)

    def retrying(self, attempt: Callable[[], _T], *, idempotent: bool = True) -> _T:
        """Call `attempt` until it raises no `TransientError`, or tries or time are used up."""
        tries = self.options.tries if idempotent else 1
        for number in range(tries):
            try:
                return attempt()
            except TransientError as error:
                if number + 1 == tries or not self.pause(number, error.retry_after):
                    raise error.fault from error
        raise RegistryError("no request was tried", code="REG_UNREACHABLE")

    def pause(self, number: int, retry_after: float | None) -> bool:
        """Wait before the next try; say whether there is time for one."""
        backoff = self._random.uniform(0.0, self.options.first_pause_seconds * 2.0**number)
        seconds = backoff if retry_after is None else max(retry_after, backoff)
        if seconds >= self.deadline.remaining():
            return False
        self.deadline.clock.sleep(seconds)
        return True

    def send(self, request: Request, deadline: Deadline) -> Answer:
        """Send a request once and give the answer of the last redirect, its body unread.

        Raises:
            RegistryError: as `gate.registry.faults` says.
            TransientError: it may be sent again.
        """
        for _ in range(MAX_REDIRECTS + 1):
            answer = self._send(request, deadline)
            location = answer.header("Location")
            if answer.status not in _REDIRECTS or not request.redirects or request.method not in {"GET", "HEAD"}:
                return answer
            # The body of a redirect is never read: it may be a bomb (attack R03).
            answer.close()
            target = parse_derived(location, request.target, self.named, self.options)
            # Not attached again after a way over another host, even back home (attack R05).
            stays = request.target.origin == target.origin == self.named
            request = replace(request, target=target, credentials=request.credentials if stays else {})
        raise RegistryError(f"{self.named} redirects without end", code="REG_MALFORMED", expected="at most 5 redirects")

    def _send(self, request: Request, deadline: Deadline) -> Answer:
        if self.options.offline:
            raise RegistryError(f"{self.named} was not asked", code="REG_OFFLINE", expected="no network with --offline")
        deadline.check(request.doing)
        response = self._respond(request, request.target, deadline)
        answer = Answer(response, request, deadline)
        if answer.status in TRANSIENT_STATUSES:
            body = answer.read(MAX_ERROR_BYTES)
            fault = status_fault(answer.status, body, request.target.origin, request.doing)
            raise TransientError(fault, self._retry_after(answer.header("Retry-After")))
        return answer

    def _respond(self, request: Request, target: Target, deadline: Deadline) -> requests.Response:
        stall = min(self.options.stall_seconds, deadline.remaining())
        started = deadline.clock.monotonic()
        proxies = self._proxies(target)
        if target.derived and not proxies:
            check_resolved(target)
        headers = {**request.headers, **request.credentials}
        session = self._session(target)
        with _opened(request.body) as body:
            try:
                return session.request(
                    request.method, target.url, headers=headers, data=body, stream=True, allow_redirects=False,
                    timeout=(min(self.options.connect_seconds, stall), stall), proxies=proxies,
                )  # fmt: skip
            except NETWORK_ERRORS as error:
                late = deadline.expired or deadline.clock.monotonic() - started >= stall
                raise network_fault(error, target.origin, timed_out=late) from error

    def _proxies(self, target: Target) -> dict[str, str]:
        """Give the proxy that the user named for this host; this machine never needs one."""
        settings, host = self.options.proxies, target.origin.host
        if is_loopback(host):
            return {}
        proxy = settings.https if target.origin.scheme == "https" else settings.http
        suffixes = tuple(f".{name.lstrip('.')}" for name in settings.bypass)
        bypassed = "*" in settings.bypass or f".{host}".endswith(suffixes)
        return {target.origin.scheme: proxy} if proxy and not bypassed else {}

    def _session(self, target: Target) -> requests.Session:
        """Give the session for the named host or for derived ones; each is made when it is first needed."""
        with self._lock:
            if target.derived not in self._sessions:
                self._sessions[target.derived] = self._new_session(public_only=target.derived)
            return self._sessions[target.derived]

    def _new_session(self, *, public_only: bool) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        session.headers.clear()
        session.headers.update({"User-Agent": self.options.user_agent, "Accept-Encoding": "identity"})
        plain = self.named.scheme == "http" and not public_only and not self.options.trusted_hosts
        context = None if plain else trust(self.options.ca_file)
        adapter = BoundedAdapter(public_only=public_only, context=context)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _retry_after(self, text: str) -> float | None:
        """Give the seconds of a `Retry-After`, which is a number or a date; None where it is neither."""
        if _LENGTH.fullmatch(text):
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - self.deadline.clock.now()).total_seconds())


@contextmanager
def _opened(body: bytes | Path | None) -> Iterator[bytes | BinaryIO | None]:
    """Give what is sent; a file is opened anew for each try."""
    if isinstance(body, Path):
        with body.open("rb") as stream:
            yield stream
    else:
        yield body
