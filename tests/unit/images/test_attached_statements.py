"""Secrets in what a build attached to an image: provenance with its arguments, SBOMs, signed bundles (attack X02)."""

from __future__ import annotations

import base64
import json
import random
from functools import partial
from typing import Any

import pytest

from gate.model.digest import Digest
from gate.model.evidence import SecretEvidence
from gate.model.finding import SecretPlace
from gate.model.image import Platform
from gate.model.image_config import ImageConfig
from gate.model.string_map import StringMap
from gate.pipeline.collect import configuration_secrets
from gate.pipeline.collect.configuration_secrets import collect_configuration_secrets
from gate.pipeline.collect.secret_rules import load_rule_set
from gate.secrets.examples import ExampleMaker
from gate.secrets.findings import Fingerprints
from gate.secrets.statements import MAX_PARSED_BYTES, AttachedStatement

RULES = load_rule_set((), None)
CONFIG = ImageConfig(platform=Platform("linux", "amd64"), diff_ids=())
MANIFEST = Digest("sha256:" + "a" * 64)
TOKEN = ExampleMaker("statement").fill("ghp_{{base62-crc32:30}}")
V02 = "https://slsa.dev/provenance/v0.2"
V1 = "https://slsa.dev/provenance/v1"
PASSWORD = "tr0ub4dor-and-three"
PLAIN: dict[str, str] = {"build-arg:VERSION": "1.2.3"}


def statement(predicate_type: str, predicate: Any) -> bytes:  # noqa: ANN401 - a predicate of any form
    subject = [{"name": "pkg:docker/shop@1?platform=linux%2Famd64", "digest": {"sha256": "0" * 64}}]
    document = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate_type, "subject": subject}
    return json.dumps({**document, "predicate": predicate}).encode()


def v02(args: dict[str, str]) -> bytes:
    """Return provenance as BuildKit writes it in its `max` mode, with the arguments of the build."""
    return statement(
        V02,
        {
            "builder": {"id": ""},
            "buildType": "https://mobyproject.org/buildkit@v1",
            "invocation": {
                "configSource": {"entryPoint": "Dockerfile"},
                "parameters": {
                    "frontend": "dockerfile.v0",
                    "args": {**PLAIN, **args},
                    "secrets": [{"id": "npm_token"}],
                },
                "environment": {"platform": "linux/amd64"},
            },
        },
    )


def v1(args: dict[str, str]) -> bytes:
    request = {"frontend": "dockerfile.v0", "args": {**PLAIN, **args}}
    definition = {"buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"}
    return statement(V1, {"buildDefinition": {**definition, "externalParameters": {"request": request}}})


def command(text: str, *environment: str) -> bytes:
    """Return provenance with a command that ran, as the definition of the build tells of it."""
    operation = {
        "exec": {"meta": {"args": ["/bin/sh", "-c", text], "env": ["PATH=/usr/bin", *environment], "cwd": "/"}}
    }
    return statement(V02, {"buildConfig": {"llbDefinition": [{"id": "step1", "op": {"Op": operation}}]}})


def dockerfile(text: str) -> bytes:
    source = {
        "infos": [
            {"filename": "Dockerfile", "language": "Dockerfile", "data": base64.b64encode(text.encode()).decode()}
        ]
    }
    return statement(V02, {"metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"source": source}}})


def spdx(name: str) -> bytes:
    files = [{"SPDXID": "SPDXRef-1", "fileName": name, "checksums": [{"algorithm": "SHA1", "checksumValue": "0" * 40}]}]
    return statement("https://spdx.dev/Document", {"spdxVersion": "SPDX-2.3", "files": files})


def bundle(content: bytes) -> bytes:
    envelope = {"payloadType": "application/vnd.in-toto+json", "payload": base64.b64encode(content).decode()}
    signed = {**envelope, "signatures": [{"sig": base64.b64encode(bytes(range(64))).decode()}]}
    return json.dumps({"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json", "dsseEnvelope": signed}).encode()


def pieces(content: bytes, size: int) -> list[bytes]:
    return [content[at : at + size] for at in range(0, len(content), size)]


def searched(*contents: bytes, predicate_type: str = "", piece: int = 1000) -> SecretEvidence:
    attached = [
        AttachedStatement(
            manifest=MANIFEST,
            digest=Digest.of(content),
            size=len(content),
            open=partial(pieces, content, piece),
            predicate_type=predicate_type,
        )
        for content in contents
    ]
    return collect_configuration_secrets(
        CONFIG, b"{}", StringMap(), RULES, Fingerprints(bytes(range(32))), statements=attached
    )


FOUND: list[tuple[str, bytes, str, str]] = [
    ("v0.2", v02({"build-arg:NPM_TOKEN": TOKEN}), "github-personal-token", ""),
    ("v0.2, no form", v02({"build-arg:DB_PASSWORD": PASSWORD}), "password-assignment", "args.build-arg:DB_PASSWORD"),
    ("v1", v1({"build-arg:DB_PASSWORD": PASSWORD}), "password-assignment", "request.args.build-arg:DB_PASSWORD"),
    ("v1, in a value", v1({"build-arg:OPTIONS": f"FOO_PASSWORD={PASSWORD}"}), "password-assignment", "build-arg:OPTIONS"),
    ("environment", command("make", f"DB_PASSWORD={PASSWORD}"), "password-assignment", "meta.env[1]"),
    ("command", command(f"login --password {PASSWORD}"), "password-assignment", "meta.args[2]"),
    ("Dockerfile", dockerfile(f"FROM debian\nARG DB_PASSWORD={PASSWORD}\n"), "password-assignment", "DB_PASSWORD"),
    ("SBOM", spdx(f"srv/{TOKEN}.txt"), "github-personal-token", ""),
]  # fmt: skip


@pytest.mark.parametrize(("content", "rule", "key"), [pytest.param(*rest, id=name) for name, *rest in FOUND])
@pytest.mark.parametrize("wrap", [bytes, bundle], ids=["bare", "signed"])
def test_x02_in_what_a_build_attached(content: bytes, rule: str, key: str, wrap: Any) -> None:  # noqa: ANN401
    evidence = searched(wrap(content))
    (found,) = evidence.findings
    assert (found.rule, found.place, found.location) == (rule, SecretPlace.ATTESTATION, str(MANIFEST))
    assert found.chain[0] == str(Digest.of(wrap(content)))
    assert found.key_path.endswith(key)
    assert evidence.unopened == ()


@pytest.mark.parametrize(
    "content",
    [
        v02({}), v1({}), command("npm ci"), dockerfile("FROM debian\nARG NPM_TOKEN\n"), spdx("usr/share/doc/passwd"),
        v02({"build-arg:NPM_TOKEN": "$NPM_TOKEN"}),
    ],
)  # fmt: skip
def test_what_names_no_secret_is_none(content: bytes) -> None:
    evidence = searched(content, bundle(content))
    assert (evidence.findings, evidence.unopened) == ((), ())


def test_x10_no_part_of_it_stands_in_the_evidence() -> None:
    evidence = searched(v02({"build-arg:DB_PASSWORD": PASSWORD, f"build-arg:{TOKEN}": "x"}), spdx(f"{TOKEN}/a.jar"))
    assert len(evidence.findings) == 3
    assert PASSWORD not in repr(evidence)
    assert TOKEN not in repr(evidence)


def test_l13_provenance_that_is_too_large_to_be_parsed_is_said_and_searched_as_text() -> None:
    padding = random.Random(1).randbytes(MAX_PARSED_BYTES).hex()  # noqa: S311 - the same in every run
    large = v02({"build-arg:NPM_TOKEN": TOKEN, "build-arg:X": padding})
    evidence = searched(large, predicate_type=V02, piece=1024 * 1024)
    assert [found.rule for found in evidence.findings] == ["github-personal-token"]
    assert evidence.unopened == ((f"attestation {MANIFEST}", "provenance of this size is searched as plain text only"),)
    assert searched(large, predicate_type="https://spdx.dev/Document").unopened == ()


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("MAX_STATEMENTS", "hang on the image"), ("MAX_STATEMENT_BYTES", "larger"), ("MAX_TOTAL_BYTES", "larger")],
)
def test_l14_more_than_the_limit_is_not_opened(limit: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration_secrets, limit, 1)
    evidence = searched(spdx("a"), v02({"build-arg:NPM_TOKEN": TOKEN}))
    assert evidence.findings == ()
    ((place, why),) = evidence.unopened
    assert place == f"attestation {MANIFEST}"
    assert reason in why
