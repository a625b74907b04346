"""Requests over HTTP: one answer for one request, within a deadline, with every byte counted.

Over `urllib3` alone: redirects are followed by hand and carry no credentials to another origin, there are no cookies, the
environment is not read, no content coding is accepted, retries are only for idempotent requests and listed causes.

Specification: distribution-spec 1.1; formats reference, sections 3.1 and 3.5; attacks R01 to R07, R10, R11.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import BinaryIO, Final, Literal, TypeVar

from urllib3.response import BaseHTTPResponse
from urllib3.util.timeout import Timeout

from gate.clock import Deadline
from gate.codec.strict_json import printable
from gate.errors import RegistryError
from gate.registry.addresses import Origin, Target, parse_derived, require_resolved, settings_of
from gate.registry.connections import cut_after
from gate.registry.faults import NETWORK_ERRORS, TRANSIENT_STATUSES, TransientError, network_fault, status_fault
from gate.registry.options import MAX_ERROR_BYTES, MAX_REDIRECTS, RegistryOptions
from gate.registry.pool import HeldRegistry
from gate.registry.proxies import proxy_for

Method = Literal["GET", "HEAD", "POST", "PUT", "DELETE"]
CHUNK_BYTES: Final = 256 * 1024

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_LENGTH: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `doing` continues "while ..." in messages; `credentials` are headers for the named origin alone.

    `by_digest`: a digest decides over the body's bytes as they come, so that no label on them can. `idempotent` allows
    another try; `redirects` allows a GET or HEAD to be followed elsewhere.
    """

    method: Method
    target: Target
    doing: str
    headers: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | Path | None = field(default=None, repr=False)
    by_digest: bool = False
    idempotent: bool = True
    redirects: bool = True


class Answer:
    """An answer whose body is still to be read; all of it is untrusted."""

    def __init__(self, response: BaseHTTPResponse, request: Request, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline
        self.request = request
        self.status = response.status

    def header(self, name: str) -> str:
        """Return a header's text, or ""."""
        return self._response.headers.get(name, "")

    @property
    def media_type(self) -> str:
        """Return the content type without its parameters."""
        return self.header("Content-Type").partition(";")[0].strip()

    def close(self) -> None:
        """Return the connection up."""
        self._response.close()
        self._response.release_conn()

    def drain(self) -> None:
        """Read a short body to its end, so that the connection serves on; a long or broken one ends it."""
        with suppress(RegistryError, TransientError):
            self.read(MAX_ERROR_BYTES)

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
    def _reading(self) -> Iterator[BaseHTTPResponse]:
        raw = self._response
        try:
            with cut_after(self._deadline.remaining(), raw.shutdown):
                yield raw
            self._deadline.check(self.request.doing)
        except NETWORK_ERRORS as error:
            raise network_fault(error, self.request.target.origin, timed_out=self._deadline.expired) from error
        finally:
            self.close()

    def _check_headers(self, limit_bytes: int, limit_code: str) -> None:
        """A compressed body could unfold without end, and a second length lets two readers see two bodies.

        Nothing is ever decoded: bytes that a digest decides over are right or wrong as they came, whatever they are called.
        """
        if not self.request.by_digest and self.header("Content-Encoding").lower() not in {"", "identity"}:
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
    """Sends requests to one registry (`named`) and to where it points; safe to use from several threads.

    It has one deadline; `held` is what outlives it, None: nothing does.
    """

    def __init__(
        self, named: Origin, options: RegistryOptions, deadline: Deadline, held: HeldRegistry | None = None
    ) -> None:
        self.named = named
        self.options = options
        self.settings = settings_of(named, options)
        self.deadline = deadline
        self.held = held or HeldRegistry(named, options)
        self._random = secrets.SystemRandom()

    def close(self) -> None:
        """Close all connections."""
        self.held.close()

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
            target = parse_derived(location, request.target, self.named, self.settings.blob_hosts)
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
            wait = self._retry_after(answer.header("Retry-After"))
            fault = status_fault(answer.status, body, request.target.origin, request.doing, wait_seconds=wait)
            raise TransientError(fault, wait)
        return answer

    def _respond(self, request: Request, target: Target, deadline: Deadline) -> BaseHTTPResponse:
        stall = min(self.options.stall_seconds, deadline.remaining())
        started = deadline.clock.monotonic()
        proxy = proxy_for(self.options.proxies, target.origin.scheme, target.origin.host, target.origin.port)
        if target.derived and not proxy:
            require_resolved(target)
        own = {"User-Agent": self.options.user_agent, "Accept-Encoding": "identity"}
        with _opened(request.body) as (body, lengths):
            try:
                return self.held.connections_to(target).through(proxy).urlopen(
                    request.method, target.url, headers={**own, **lengths, **request.headers, **request.credentials},
                    body=body, redirect=False, retries=False, preload_content=False, decode_content=False,
                    timeout=Timeout(connect=min(self.options.connect_seconds, stall), read=stall),
                )  # fmt: skip
            except NETWORK_ERRORS as error:
                late = deadline.expired or deadline.clock.monotonic() - started >= stall
                raise network_fault(error, target.origin, timed_out=late) from error

    def _retry_after(self, text: str) -> float | None:
        """Return the seconds of a `Retry-After`, which is a number or a date; None where it is neither."""
        if _LENGTH.fullmatch(text):
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - self.deadline.clock.now()).total_seconds())


@contextmanager
def _opened(body: bytes | Path | None) -> Iterator[tuple[bytes | BinaryIO | None, Mapping[str, str]]]:
    """Return what is sent, and the header that says how long it is; a file is opened anew for each try."""
    if isinstance(body, Path):
        with body.open("rb") as stream:
            yield stream, {"Content-Length": str(os.fstat(stream.fileno()).st_size)}
    else:
        yield body, {}
