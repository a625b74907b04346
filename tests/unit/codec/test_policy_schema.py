"""Parser, shipped schema and documentation know the same keys, and parser and schema accept the same documents."""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
import pytest

from gate.codec.policy.keys import POLICY_KEYS, REQUIREMENT_KEYS
from gate.codec.yaml_document import parse_yaml
from gate.disk.package_data import data_path
from gate.errors import GateError
from gate.model.digest import Digest
from tests.support.policies import KEY_PEM, as_bytes, policy, policy_document, requirement, requirement_document, waiver
from tests.support.sources import ROOT

KEYS = {"policy": POLICY_KEYS, "requirement": REQUIREMENT_KEYS}
# Where the parser's table names a shared object once, and the place in the schema at which it is described.
SHARED = {"claim", "file", "key", "keyless", "signer"}


def schema(kind: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(data_path(f"schemas/{kind}.schema.json").read_text("utf-8"))
    return read


def objects(node: Mapping[str, Any], root: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Return path → keys of every closed object of the schema, in the words of `gate.codec.policy.keys`."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[-1]
        yield from objects(root["$defs"][name], root, name if name in SHARED else path)
    if "properties" in node:
        yield path, frozenset(node["properties"])
        for key, value in node["properties"].items():
            yield from objects(value, root, f"{path}.{key}" if path else key)
    if "items" in node:
        yield from objects(node["items"], root, f"{path}[]")
    if isinstance(node.get("additionalProperties"), dict):
        yield from objects(node["additionalProperties"], root, f"{path}{{}}")
    for alternative in node.get("oneOf", ()):
        yield from objects(alternative, root, path) if {"$ref", "type"} & set(alternative) else ()


@pytest.mark.parametrize("kind", KEYS)
def test_the_schema_is_one(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema(kind))


@pytest.mark.parametrize("kind", KEYS)
def test_every_key_of_the_parser_is_in_the_schema_and_the_other_way_round(kind: str) -> None:
    described: dict[str, frozenset[str]] = {}
    for path, keys in objects(schema(kind), schema(kind)):
        assert described.setdefault(path, keys) == keys, path
    # Grace has severities for keys; failedBy and a policy's file are described by objects that stand elsewhere too.
    described.pop("spec.vulnerabilities.grace", None)
    verdict = "spec.images[].verdict"
    if kind == "requirement":
        assert described.pop(f"{verdict}.failedBy[]") == described[f"{verdict}.signedBy[]"]
        described[f"{verdict}.policies[]"] = described.pop("file")
    assert described == {path: frozenset(keys) for path, keys in KEYS[kind].items()}


@pytest.mark.parametrize("kind", KEYS)
def test_every_object_of_the_schema_is_closed(kind: str) -> None:
    def opened(node: object) -> Iterator[object]:
        if isinstance(node, dict):
            if "properties" in node and node.get("type") == "object" and node.get("additionalProperties") is not False:
                yield node
            for value in node.values():
                yield from opened(value)
        elif isinstance(node, list):
            for value in node:
                yield from opened(value)

    assert list(opened(schema(kind))) == []


@pytest.mark.parametrize("kind", KEYS)
def test_the_documentation_names_every_key_and_no_other(kind: str) -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    half = page.split("# The requirement\n")[kind == "requirement"]
    documented = {name for row in re.findall(r"^\| (`.+?) \|", half, re.MULTILINE) for name in _names(row)}
    named = {f"{path}.{key}".lstrip(".") for path, keys in KEYS[kind].items() for key in keys if path != "file"}
    everywhere = {name for name in named if name.partition(".")[0] in SHARED}
    leaves = named - everywhere
    # What both documents share is documented once, with the policy.
    shared = everywhere if kind == "policy" else set()
    missing = {leaf for leaf in leaves | shared if not any(_covers(name, leaf) for name in documented)}
    assert missing == set()
    prefixes = ("spec.", "metadata.", *(f"{name}." for name in SHARED), "apiVersion", "kind")
    unknown = (
        {name for name in documented if name.startswith(prefixes)} - leaves - shared - {f"{leaf}[]" for leaf in leaves}
    )
    assert unknown == set()


def _names(row: str) -> list[str]:
    """Expand the page's short form: `a.b`, `.c` reads a.b, a.c."""
    tokens = re.findall(r"`([^`]+)`", row)
    parent = tokens[0].rpartition(".")[0]
    return [f"{parent}{token}" if token.startswith(".") else token for token in tokens]


def _covers(name: str, leaf: str) -> bool:
    """Say whether a documented name is the key itself or one below it."""
    return name == leaf or name.startswith((f"{leaf}.", f"{leaf}[].", f"{leaf}[]"))


@pytest.mark.parametrize("name", ["baseline", "production"])
def test_the_shipped_policies_fit_the_schema(name: str) -> None:
    root = parse_yaml(data_path(f"policies/{name}.yaml").read_bytes(), name=name)
    assert root is not None
    jsonschema.validate(root.plain(), schema("policy"), cls=jsonschema.Draft202012Validator)


KEY = {"file": "keys/a.pub", "sha256": Digest.of(KEY_PEM).hex}
WHOLE_POLICY: dict[str, Any] = policy_document(
    references={"registries": ["registry.example/shop/**"]},
    platforms=["linux/amd64"],
    signature=[{"images": "**", "anyOf": [{"key": KEY | {"notAfter": "2027-01-01"}}], "annotations": {"a": "b"}}],
    provenance={
        "signers": [{"key": KEY}],
        "builder": ["https://builds.example/a", {"id": "https://builds.example/b", "level": 3}],
        "source": "git+https://github.com/shop/**",
        "ref": ["refs/heads/main", "refs/tags/*"],
        "buildType": "https://builds.example/type/v1",
        "parameters": {"workflow.path": "release.yml"},
        "minimumLevel": 1,
    },
    attestations=[
        {"type": "cyclonedx", "signers": [{"key": KEY}], "maxAge": "30d"},
        {"type": "https://shop.example/review/v1", "signers": [{"key": KEY}]},
    ],
    vulnerabilities={
        "scanners": {"require": ["trivy", "grype"], "quorum": "any"},
        "databaseMaxAge": "48h",
        "failOn": "high",
        "unknownSeverity": "low",
        "ignoreUnfixed": False,
        "grace": {"high": "7d"},
        "kev": "fail",
        "kevData": KEY,
        "epss": {"failAbove": 0.5, "data": KEY},
        "vex": [{"signers": [{"key": KEY}], "products": ["pkg:deb/debian/*"]}],
        "endOfLife": "fail",
        "emptyBase": ["registry.example/scratch"],
    },
    secrets={
        "failOn": "any",
        "allow": [{"fingerprint": "ab" * 8, "reason": "r", "owner": "o", "expires": "2027-01-01"}],
        "unopened": "fail",
    },
    coverage={
        "unread": "warn",
        "accept": [{"path": "/srv/rootfs", "reason": "r", "owner": "o", "expires": "2027-01-01"}],
    },
    image={
        "user": "any",
        "maxAge": "1d",
        "revision": "any",
        "ports": {"deny": ["22"]},
        "setuid": {"allow": ["/a"]},
        "labels": {"deny": ["a"]},
        "base": [{"name": "a", "diffIds": [str(Digest.of(b""))]}],
    },
    rules=[{"id": "r", "cel": "true", "message": "m"}],
    waivers=[waiver()],
    waiverMaxDuration="90d",
    limits={
        "layers": 1,
        "uncompressedBytes": 1,
        "entries": 1,
        "ratio": 1,
        "ratioWindowBytes": 1048576,
        "secondsPerGib": 1.5,
    },
    attest={
        "verifierId": "https://a.example",
        "maxAge": "1d",
        "environments": ["a"],
        "evidencePredicateType": "https://a.example/e",
        "extensionPrefix": "https://a.example/x/",
        "requireTimestamp": True,
    },
)
WHOLE_REQUIREMENT: dict[str, Any] = requirement_document(
    {
        "match": "registry.example/shop/**",
        "verdict": {
            "signedBy": [{"key": KEY, "verifierId": "https://a.example"}],
            "failedBy": [{"key": KEY}],
            "policies": [str(Digest.of(b"")), KEY],
            "environment": "production",
            "maxAge": "7d",
            "requireTimestamp": False,
            "extensionPrefixes": ["https://a.example/x/"],
            "evidencePredicateTypes": ["https://a.example/e"],
        },
    },
    {"match": "registry.example/vendor/**", "signature": {"allOf": [{"key": KEY}], "annotations": {"a": "b"}}},
)
WRONG: tuple[object, ...] = (
    None,
    True,
    7,
    -1,
    "",
    "word",
    [],
    {},
    [{}],
    ["word"],
    {"word": "word"},
    "2027-13-01",
    "7 d",
)
# Changes on which the two may differ, because a schema cannot say them: what a pattern, a day, a digest or a file must be.
BEYOND_A_SCHEMA = re.compile(
    r"\.(?:cel|date|expires|notBefore|notAfter|registries|images|match|emptyBase|platforms|file)\b"
)


def changes(document: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any JSON value
    """Return the document with each value in turn replaced, taken away, and with an unknown key beside it."""
    for path in _paths(document):
        for wrong in WRONG:
            yield f".{'.'.join(map(str, path))} = {wrong!r}", _with(document, path, wrong)
        yield f".{'.'.join(map(str, path))} gone", _with(document, path, None, remove=True)
        if isinstance(path[-1], str):
            yield f".{'.'.join(map(str, path))} beside", _with(document, (*path[:-1], "unknownKey"), "word")


def _paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _with(document: Any, path: tuple[str | int, ...], value: object, *, remove: bool = False) -> Any:  # noqa: ANN401
    changed = copy.deepcopy(document)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("kind", "document"),
    [("policy", WHOLE_POLICY), ("requirement", WHOLE_REQUIREMENT)],
)
def test_parser_and_schema_accept_the_same(kind: str, document: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(schema(kind))
    differences = []
    taken = refused = 0
    for what, changed in itertools.chain([("whole", document)], changes(document)):
        by_schema = validator.is_valid(changed)
        by_parser = _parses(kind, changed)
        taken, refused = taken + by_parser, refused + (not by_parser)
        if by_schema != by_parser and not (by_schema and BEYOND_A_SCHEMA.search(what)):
            differences.append((what, by_schema, by_parser))
    assert differences == []
    assert taken > 20
    assert refused > 500


def _parses(kind: str, document: dict[str, Any]) -> bool:
    try:
        (policy if kind == "policy" else requirement)(document)
    except GateError:
        return False
    return True


def test_the_schema_sees_the_document_as_the_parser_does() -> None:
    root = parse_yaml(as_bytes(WHOLE_POLICY), name="p")
    assert root is not None
    assert root.plain() == WHOLE_POLICY
