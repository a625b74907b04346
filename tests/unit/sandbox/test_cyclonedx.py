"""A CycloneDX document is validated in a child that can be killed; what it does not answer is no valid document."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from gate.model.evidence import Unavailable
from gate.sandbox import cyclonedx
from gate.sandbox.cyclonedx import validate_cyclonedx
from gate.sandbox.limited_task import EndedTask
from tests.support.sources import ROOT

VERSIONS: Final = ("1.2", "1.3", "1.4", "1.5", "1.6", "1.7")
# Written by the real Grype.
WRITTEN: Final = ROOT / "fixtures" / "scanners" / "grype.cdx.json"


def minimal(version: str = "1.6", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    component = {"type": "library", "name": "zlib", "version": "1.3"}
    return {"bomFormat": "CycloneDX", "specVersion": version, "version": 1, "components": [component], **more}


def test_what_a_real_tool_wrote_is_valid() -> None:
    assert validate_cyclonedx(json.loads(WRITTEN.read_bytes())) == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_has_its_own_schema(version: str) -> None:
    assert validate_cyclonedx(minimal(version)) == ""
    assert validate_cyclonedx(minimal(version, surprise=[])).startswith("the top level: ")  # type: ignore[union-attr]


def change(key: str, value: object) -> Callable[[dict[str, Any]], None]:
    return lambda component: component.update({key: value})


# Change of a component → what is said of it.
BROKEN: Final = {
    "type": (change("type", "package"), "components/0/type: enum"),
    "name": (lambda component: component.pop("name"), "components/0: 'name' is a required property"),
    "hash": (change("hashes", [{"alg": "SHA-256", "content": "x"}]), "components/0/hashes/0/content: pattern"),
    "algorithm": (change("hashes", [{"alg": "SHA-0", "content": "0" * 40}]), "components/0/hashes/0/alg: enum"),
    "license": (change("licenses", [{"license": {"id": "No-Such-1.0"}}]), "components/0/licenses/0/license/id: enum"),
    "same": (change("components", [{"type": "library", "name": "a"}] * 2), "components/0/components: uniqueItems"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_place_and_the_rule_are_named(name: str) -> None:
    alter, words = BROKEN[name]
    document = minimal()
    alter(document["components"][0])
    found = validate_cyclonedx(document)
    assert found == words


def test_no_value_of_the_document_is_told() -> None:
    document = minimal()
    document["components"][0]["scope"] = "hunter2-not-for-messages"
    assert validate_cyclonedx(document) == "components/0/scope: enum"


def test_a_signature_inside_the_document_is_no_fault() -> None:
    """Without a check of `uri` an algorithm's name fits two branches of the schema, and no signed document is valid."""
    key = {"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}
    signature = {"algorithm": "ES256", "publicKey": key, "value": "c"}
    assert validate_cyclonedx(minimal(signature=signature)) == ""
    assert validate_cyclonedx(minimal(signature=signature | {"algorithm": "no-algorithm"})) != ""


def test_a_document_that_takes_too_long_is_not_valid() -> None:
    found = validate_cyclonedx(minimal(), time_limit=timedelta(microseconds=1))
    assert isinstance(found, Unavailable)
    assert (found.code, found.seen) == ("LIMIT_DOCUMENT", "it took longer than 1e-06 s")


def test_a_document_that_takes_too_much_memory_is_not_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cyclonedx, "_MEMORY_BYTES", 48 << 20)
    assert validate_cyclonedx(minimal()) == ""
    many = minimal(components=[{"type": "library", "name": f"n{number}"} for number in range(40_000)])
    found = validate_cyclonedx(many)
    assert isinstance(found, Unavailable)
    assert found.code == "LIMIT_DOCUMENT"
    assert "ended with code" in found.seen


def test_twin_many_components_within_the_limits_are_valid() -> None:
    assert validate_cyclonedx(minimal(components=[{"type": "library", "name": f"n{n}"} for n in range(10_000)])) == ""


def test_a_child_that_cannot_start_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    found = validate_cyclonedx(minimal())
    assert isinstance(found, Unavailable)
    assert (found.code, found.seen) == ("LIMIT_DOCUMENT", "no process can be started for it: No such file or directory")


@pytest.mark.parametrize("output", [b"", b"{}", b'{"place": ""}', b'{"place": "", "rule": 1}', b'{"place": "", "rule"'])
def test_an_answer_that_is_not_whole_is_none(output: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cyclonedx, "run_task", lambda *_: EndedTask(output=output, exit_code=0))
    assert isinstance(validate_cyclonedx(minimal()), Unavailable)


def test_twin_a_whole_answer_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = EndedTask(output=b'{"place": "", "rule": ""}\n', exit_code=0)
    monkeypatch.setattr(cyclonedx, "run_task", lambda *_: whole)
    assert validate_cyclonedx(minimal()) == ""


def test_the_task_stands_beside_the_module() -> None:
    assert Path(cyclonedx.__file__).with_name(cyclonedx._TASK).is_file()
