"""The application that a server runs: paths, sizes, and that everything that goes wrong refuses (ASGI 3.0).

`POST /validate` answers the API server, `POST /v1/verify` any other stage, with the codes of `gate verify`. Paths are compared
as they stand; a body is bounded before it is parsed; whatever an answer raises is a refusal that is logged (attacks K09 to K12).
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from gate.clock import Deadline
from gate.codec.strict_json import Fault, parse_object
from gate.errors import AdmissionRequestError, EvidenceError, GateError, InternalError
from gate.report.json_report import error_fields
from gate.webhook import answer
from gate.webhook.review import MAX_BYTES, parse_review, uid_of

if TYPE_CHECKING:
    from gate.webhook.judge import ImageAnswer, Judge

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
_LOG: Final = logging.getLogger("gate.webhook")
_JSON: Final = (b"content-type", b"application/json")
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
_FAULT: Final = Fault(AdmissionRequestError, "ADM_MALFORMED", "the request")
_MOST_REFERENCES: Final = 100
_MOST_AT_ONCE: Final = 256


@dataclass(slots=True, kw_only=True)
class Counts:
    """What is counted; names and values are fixed, so that no request makes a new series (attack K17)."""

    answered: dict[str, int] = field(default_factory=lambda: {"allowed": 0, "refused": 0, "failed": 0})
    reload_failures: int = 0


@dataclass(slots=True, kw_only=True)
class Service:
    """The application. `judge` is replaced whole when a requirement is read again; `ready` says why it is not ready, or ""."""

    judge: Judge
    deadline: timedelta
    counts: Counts = field(default_factory=Counts)
    unready: str = ""
    # Of its own, and many: those that wait for a registry must not keep waiting those that are answered from memory.
    threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=_MOST_AT_ONCE, thread_name_prefix="gate-request")
    )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        status, header, body = await self._answer(scope, receive)
        await send({"type": "http.response.start", "status": status, "headers": [header]})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, tuple[bytes, bytes], bytes]:
        # The path as it was sent: nothing is folded or decoded, so that no other spelling leads here (attack K12).
        route = (scope["method"], scope.get("raw_path", b"") or scope["path"].encode())
        match route:
            case ("GET", b"/healthz"):
                return 200, _TEXT, b"ok\n"
            case ("GET", b"/readyz"):
                return (503, _TEXT, f"{self.unready}\n".encode()) if self.unready else (200, _TEXT, b"ok\n")
            case ("GET", b"/metrics"):
                return 200, _TEXT, self._metrics()
            case ("POST", b"/validate"):
                return await self._posted(
                    scope, receive, self._validate, lambda body, error: answer.refusal(uid_of(body), error)
                )
            case ("POST", b"/v1/verify"):
                return await self._posted(scope, receive, self._verify, lambda _, error: _refused_request(error))
            case ("POST", b"/v1/refresh"):
                return 200, _JSON, json.dumps({"forgotten": self.judge.answers.forget()}).encode()
            case _:
                return 404, _TEXT, b"not found\n"

    async def _posted(
        self,
        scope: Scope,
        receive: Receive,
        answer_to: Callable[[bytes], bytes],
        refuse: Callable[[bytes, GateError], bytes],
    ) -> tuple[int, tuple[bytes, bytes], bytes]:
        kinds = [value for name, value in scope["headers"] if name == b"content-type"]
        if len(kinds) != 1 or kinds[0].split(b";")[0].strip() != b"application/json":
            return 415, _TEXT, b"expected application/json\n"
        body = await _body(receive)
        if body is None:
            return 413, _TEXT, f"expected at most {MAX_BYTES} bytes\n".encode()
        try:
            return 200, _JSON, await asyncio.get_running_loop().run_in_executor(self.threads, answer_to, body)
        except Exception:  # noqa: BLE001 - the outermost edge of a server, which fails closed
            _LOG.exception("a request could not be answered")
            self.counts.answered["failed"] += 1
            return 200, _JSON, refuse(body, InternalError("the request could not be answered"))

    def _validate(self, body: bytes) -> bytes:
        """Answer a review; whatever goes wrong is a refusal of it."""
        deadline = Deadline.after(self.deadline)
        try:
            custom = tuple(kind for item in self.judge.requirements for kind in item.cluster.custom_resources)
            review = parse_review(body, custom)
            if not review.images:
                self.counts.answered["allowed"] += 1
                return answer.allowed(review.uid)
            answers = self.judge.judge([image.reference for image in review.images], review.namespace, deadline)
            self._count(answers)
            _log(review.namespace, review.kind, review.name, answers)
            return answer.answered(review, answers)
        except GateError as error:
            self.counts.answered["refused"] += 1
            return answer.refusal(uid_of(body), error)

    def _verify(self, body: bytes) -> bytes:
        """Answer `{"images": [...], "namespace": ""}` with what is demanded of each image, as `gate verify` says it."""
        deadline = Deadline.after(self.deadline)
        try:
            view = parse_object(body, _FAULT, limit_bytes=MAX_BYTES)
            view.only(("images", "namespace"))
            images = view.texts("images")
            if not 0 < len(images) <= _MOST_REFERENCES:
                raise view.refuse(
                    "images", "has too few or too many", expected=f"1 to {_MOST_REFERENCES}", seen=str(len(images))
                )
            answers = self.judge.judge(images, view.optional_text("namespace"), deadline)
        except GateError as error:
            return _refused_request(error)
        self._count(answers)
        rows = [
            {
                "reference": item.reference,
                "allowed": item.refusal is None,
                "mode": item.mode.value,
                "verdict": item.verdict,
                "exempt": item.exempt,
                **({"error": error_fields(item.refusal)} if item.refusal is not None else {}),
            }
            for item in answers
        ]
        return json.dumps({"allowed": not any(item.refuses for item in answers), "images": rows}).encode()

    def _count(self, answers: tuple[ImageAnswer, ...]) -> None:
        for item in answers:
            failed = isinstance(item.refusal, EvidenceError)
            self.counts.answered["failed" if failed else "refused" if item.refuses else "allowed"] += 1

    def _metrics(self) -> bytes:
        lines = [
            "# HELP gate_admission_images_total Images that were answered about.",
            "# TYPE gate_admission_images_total counter",
            *(
                f'gate_admission_images_total{{answer="{name}"}} {count}'
                for name, count in self.counts.answered.items()
            ),
            "# HELP gate_admission_lookups_total Times that a registry was asked.",
            "# TYPE gate_admission_lookups_total counter",
            f"gate_admission_lookups_total {self.judge.lookups}",
            "# HELP gate_admission_kept_answers Answers in memory.",
            "# TYPE gate_admission_kept_answers gauge",
            f"gate_admission_kept_answers {len(self.judge.answers)}",
            "# HELP gate_admission_reload_failures_total Files that were read again and refused.",
            "# TYPE gate_admission_reload_failures_total counter",
            f"gate_admission_reload_failures_total {self.counts.reload_failures}",
        ]
        return ("\n".join(lines) + "\n").encode()


def _refused_request(error: GateError) -> bytes:
    return json.dumps({"allowed": False, "error": error_fields(error)}).encode()


def _log(namespace: str, kind: str, name: str, answers: tuple[ImageAnswer, ...]) -> None:
    """Write one line of JSON for each refusal; an admission is the API server's own audit log's business."""
    for item in answers:
        if item.refusal is not None:
            row = {
                "namespace": namespace,
                "kind": kind,
                "name": name,
                "image": item.reference,
                "code": item.refusal.code,
            }
            _LOG.warning(json.dumps(row, ensure_ascii=True))


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, or None where it is longer than a review may be."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
