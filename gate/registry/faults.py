"""What went wrong with a request, as the gate's own errors: each network failure and each status has one code.

No message holds a URL's query, a header that was sent, or more of a foreign text than its first printable characters.
"""

from __future__ import annotations

import http.client
import math
import re
import ssl
from collections.abc import Iterator
from typing import Final

import urllib3.exceptions

from gate.codec.strict_json import Fault, ObjectView, parse_object, printable
from gate.errors import GateError, RegistryError
from gate.registry.addresses import Origin
from gate.registry.options import MAX_ERROR_BYTES

TRANSIENT_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
# What urllib3 raises for a request or while its body is read.
NETWORK_ERRORS: Final = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)

_LIMITED: Final = 429
_CODES: Final = {401: "REG_AUTH", 403: "REG_DENIED", 404: "REG_NOT_FOUND", 408: "REG_TIMEOUT", 429: "REG_RATE_LIMIT"}
_ERROR_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,40}", re.ASCII)
_ERROR_FAULT: Final = Fault(RegistryError, "REG_MALFORMED", "the registry's error")
_PLAIN_ANSWERS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"})


class TransientError(Exception):
    """A failure after which an idempotent request may be tried again; it never leaves this package.

    `retry_after` is what the server asked for, in seconds, or None.
    """

    def __init__(self, fault: RegistryError, retry_after: float | None = None) -> None:
        super().__init__(fault)
        self.fault = fault
        self.retry_after = retry_after


def network_fault(error: Exception, origin: Origin, *, timed_out: bool) -> RegistryError | TransientError:
    """Return the error for a failure below HTTP, transient or final. `timed_out` if the time for it was over."""
    causes = tuple(_causes(error))
    if timed_out or any(_is_timeout(cause) for cause in causes):
        return TransientError(RegistryError(f"{origin} did not answer in time", code="REG_TIMEOUT"))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            return _tls_fault(cause, origin)
    if any(isinstance(cause, http.client.IncompleteRead | urllib3.exceptions.IncompleteRead) for cause in causes):
        return TransientError(RegistryError(f"an answer of {origin} broke off", code="REG_MALFORMED"))
    if any(_is_malformed(cause) for cause in causes):
        return RegistryError(f"{origin} does not speak HTTP as specified", code="REG_MALFORMED")
    seen = next(
        (printable(str(cause.strerror)) for cause in causes if isinstance(cause, OSError) and cause.strerror), ""
    )
    return TransientError(RegistryError(f"{origin} cannot be reached", code="REG_UNREACHABLE", seen=seen))


def status_fault(
    status: int, body: bytes, origin: Origin, doing: str, *, wait_seconds: float | None = None
) -> RegistryError:
    """Return the error for a status; `body` is foreign and at most 64 KiB, `doing` says what was asked.

    `wait_seconds` is how long the registry asks to wait.
    """
    code = _CODES.get(status, "REG_MALFORMED" if 200 <= status < 400 else "REG_ERROR")
    wait = f"; it asks to wait {_span(wait_seconds)}" if wait_seconds else ""
    step = (
        f"Try again{f' in {_span(wait_seconds)}' if wait_seconds else ' later'}, or log in (docker login, --authfile):"
    )
    return RegistryError(
        f"{origin} refused while {doing}",
        code=code,
        seen=f"status {status}{_first_error(body)}{wait}",
        next_step=f"{step} most registries allow more to a login." if status == _LIMITED else "",
    )


def _span(seconds: float) -> str:
    """Return a time to wait in the largest unit that says it without a fraction, at least a second."""
    whole = max(1, math.ceil(seconds))
    for unit, size in (("h", 3600), ("min", 60)):
        if whole % size == 0 or whole > 2 * 24 * size:
            return f"{math.ceil(whole / size)} {unit}"
    return f"{whole} s"


def _first_error(body: bytes) -> str:
    """Return the registry's own code and message, if the body is of the specified form; anything else says nothing."""
    try:
        view = parse_object(body, _ERROR_FAULT, limit_bytes=MAX_ERROR_BYTES)
        first = next(iter(view.optional_objects("errors")), ObjectView({}, _ERROR_FAULT))
        code, message = first.optional_text("code"), first.optional_text("message")
    except GateError:
        return ""
    return f", {code}: {printable(message, 300)}" if _ERROR_CODE.fullmatch(code) else ""


def _tls_fault(error: ssl.SSLError, origin: Origin) -> RegistryError | TransientError:
    if error.reason in _PLAIN_ANSWERS:
        return RegistryError(f"{origin} speaks plain HTTP", code="REG_INSECURE", expected="https", seen="http")
    if isinstance(error, ssl.SSLCertVerificationError):
        return RegistryError(
            f"the certificate of {origin} does not verify", code="REG_TLS", seen=printable(error.verify_message)
        )
    fault = RegistryError(
        f"no secure connection to {origin}", code="REG_TLS", seen=printable(error.reason or "a broken handshake")
    )
    # A handshake that was cut off is a broken connection; a refused one stays refused.
    return TransientError(fault) if isinstance(error, ssl.SSLEOFError) else fault


def _is_timeout(cause: BaseException) -> bool:
    # urllib3 derives "refused" and "does not resolve" from its time-out.
    refused = isinstance(cause, urllib3.exceptions.NewConnectionError)
    return isinstance(cause, TimeoutError | urllib3.exceptions.TimeoutError) and not refused


def _is_malformed(cause: BaseException) -> bool:
    # A server that hangs up is no malformed one, though http.client says that its status line is bad.
    if isinstance(cause, http.client.RemoteDisconnected):
        return False
    return isinstance(
        cause,
        http.client.HTTPException
        | urllib3.exceptions.InvalidHeader
        | urllib3.exceptions.InvalidChunkLength
        | urllib3.exceptions.LocationValueError,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Return an error and all that is wrapped in it, outermost first: libraries wrap in arguments, `reason` and causes."""
    waiting, seen = [error], set[int]()
    while waiting:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = (*current.args, getattr(current, "reason", None), current.__cause__, current.__context__)
        waiting += [item for item in inner if isinstance(item, BaseException)]
