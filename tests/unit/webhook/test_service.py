"""The service's edge: what nobody expected refuses, and is told from what a request did."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, cast

import pytest

from gate.webhook.answers import Answers
from gate.webhook.judge import Judge
from gate.webhook.service import Service
from tests.support.admission import pod, review


class Broken:
    """A judge with a defect."""

    requirements = ()
    answers = Answers()
    lookups = 0

    def judge(self, *_: object) -> None:
        raise ZeroDivisionError


def ask(service: Service, path: str, body: bytes) -> tuple[int, Any]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(service(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.fixture
def service() -> Service:
    return Service(judge=cast("Judge", Broken()), deadline=timedelta(seconds=1))


def test_k10_a_defect_refuses_the_object_with_its_uid(service: Service) -> None:
    document = review(pod("registry.example/x@sha256:" + "0" * 64))
    status, answer = ask(service, "/validate", json.dumps(document).encode())
    assert status == 200
    assert answer["response"]["allowed"] is False
    assert answer["response"]["uid"] == document["request"]["uid"]
    assert answer["response"]["auditAnnotations"] == {"code": "INTERNAL"}
    assert service.counts.answered == {"allowed": 0, "refused": 0, "failed": 1}


def test_k10_a_defect_refuses_a_demand(service: Service) -> None:
    status, answer = ask(service, "/v1/verify", b'{"images": ["registry.example/x:1"]}')
    assert (status, answer["allowed"], answer["error"]["code"]) == (200, False, "INTERNAL")


def test_what_starts_nothing_needs_no_judge(service: Service) -> None:
    document = review(None, operation="DELETE", old=pod("x"))
    assert ask(service, "/validate", json.dumps(document).encode())[1]["response"]["allowed"] is True
