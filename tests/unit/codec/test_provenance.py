"""Provenance of every builder becomes one form, and an unclear source stays unclear."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from gate.codec.provenance import MAX_DEPENDENCIES, parse_provenance
from gate.codec.statement import parse_statement
from gate.errors import AttestationError
from gate.model.provenance import PROVENANCE_V02, PROVENANCE_V1, Provenance, Source
from tests.support.signing import IMAGE

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER_COMMIT = "f" * 40
SHOP = "git+https://github.com/shop/web"


def read(predicate: object, predicate_type: str = PROVENANCE_V1) -> Provenance:
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": IMAGE.hex}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return parse_provenance(parse_statement(json.dumps(statement).encode()))


def v1(build_type: str = "https://builds.example/v1", builder: object = None, **definition: Any) -> dict[str, Any]:  # noqa: ANN401
    details = {"builder": builder or {"id": "https://builds.example/b"}, "metadata": definition.pop("metadata", {})}
    return {"buildDefinition": {"buildType": build_type, **definition}, "runDetails": details}


def test_github_names_its_source_as_workflow_and_its_commit_among_the_dependencies() -> None:
    found = read(
        v1(
            "https://actions.github.io/buildtypes/workflow/v1",
            externalParameters={
                "workflow": {
                    "ref": "refs/heads/main",
                    "repository": "https://github.com/shop/web",
                    "path": ".github/workflows/release.yml",
                }
            },
            internalParameters={"github": {"event_name": "push"}},
            resolvedDependencies=[{"uri": f"{SHOP}@refs/heads/main", "digest": {"gitCommit": COMMIT}}],
            metadata={"invocationId": "https://github.com/shop/web/actions/runs/1/attempts/1"},
        )
    )
    assert found.source == Source(uri=SHOP, ref="refs/heads/main", commit=COMMIT)
    assert found.parameters["workflow.path"] == ".github/workflows/release.yml"
    assert found.run.endswith("/runs/1/attempts/1")


def test_the_generators_container_builder_names_its_source_as_configuration() -> None:
    source = {"uri": f"{SHOP}@refs/tags/v1.0.0", "digest": {"sha1": COMMIT}}
    found = read(
        {
            "builder": {"id": "https://github.com/slsa-framework/slsa-github-generator/x@refs/tags/v2.1.0"},
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/container@v1",
            "invocation": {"configSource": {**source, "entryPoint": "release.yml"}, "parameters": {}},
            "metadata": {"buildInvocationId": "1-1", "buildFinishedOn": "2026-02-01T10:00:00Z"},
            "materials": [source],
        },
        PROVENANCE_V02,
    )
    assert found.source == Source(uri=SHOP, ref="refs/tags/v1.0.0", commit=COMMIT)
    assert (found.run, found.finished) == ("1-1", datetime(2026, 2, 1, 10, tzinfo=UTC))


def test_buildkit_names_a_git_context_as_configuration() -> None:
    found = read(
        {
            "builder": {"id": ""},
            "buildType": "https://mobyproject.org/buildkit@v1",
            "invocation": {
                "configSource": {
                    "uri": "https://github.com/shop/web.git#refs/heads/main:docker",
                    "digest": {"sha1": COMMIT},
                    "entryPoint": "Dockerfile",
                },
                "parameters": {"frontend": "dockerfile.v0", "args": {"build-arg:A": "1"}, "locals": []},
            },
            "materials": [{"uri": "pkg:docker/debian@13?platform=linux%2Famd64", "digest": {"sha256": "0" * 64}}],
        },
        PROVENANCE_V02,
    )
    assert found.source == Source(uri=SHOP, ref="refs/heads/main", commit=COMMIT)
    assert found.builder == ""
    assert dict(found.parameters) == {"frontend": "dockerfile.v0", "args.build-arg:A": "1", "locals": "[]"}


@pytest.mark.parametrize("predicate_type", [PROVENANCE_V02, PROVENANCE_V1])
def test_buildkit_names_the_repository_of_a_local_context_in_its_metadata(predicate_type: str) -> None:
    vcs = {"vcs": {"source": "git@github.com:shop/web.git", "revision": COMMIT}}
    expected = Source(uri="git+ssh://github.com/shop/web", commit=COMMIT)
    if predicate_type == PROVENANCE_V1:
        config = {"configSource": {"path": "Dockerfile"}}
        found = read(v1(externalParameters=config, metadata={"buildkit_metadata": vcs}))
    else:
        predicate = {
            "buildType": "https://mobyproject.org/buildkit@v1",
            "invocation": {"configSource": {"entryPoint": "Dockerfile"}},
            "metadata": {"https://mobyproject.org/buildkit@v1#metadata": vcs},
        }
        found = read(predicate, PROVENANCE_V02)
    assert found.source == expected


def test_tekton_v1_names_its_source_as_the_result_of_an_input() -> None:
    found = read(
        v1(
            "https://tekton.dev/chains/v2/slsa",
            {"id": "https://tekton.dev/chains/v2"},
            externalParameters={"runSpec": {"pipelineRef": {"name": "build"}}},
            resolvedDependencies=[
                {
                    "name": "task",
                    "uri": "git+https://github.com/tektoncd/catalog.git",
                    "digest": {"sha1": OTHER_COMMIT},
                },
                {"name": "inputs/result", "uri": f"{SHOP}.git", "digest": {"sha1": COMMIT}},
                {"uri": "oci://registry.example/tools/git", "digest": {"sha256": "0" * 64}},
            ],
        )
    )
    assert found.source == Source(uri=SHOP, commit=COMMIT)


def test_tekton_v02_does_not_take_the_pipelines_own_definition_for_the_source() -> None:
    definition = {"uri": "git+https://github.com/shop/pipelines.git", "digest": {"sha1": OTHER_COMMIT}}
    found = read(
        {
            "builder": {"id": "https://tekton.dev/chains/v2"},
            "buildType": "tekton.dev/v1beta1/PipelineRun",
            "invocation": {"configSource": definition},
            "materials": [
                definition,
                {"uri": f"{SHOP}.git", "digest": {"sha1": COMMIT}},
                {"uri": "oci://registry.example/tools/git", "digest": {"sha256": "0" * 64}},
            ],
        },
        PROVENANCE_V02,
    )
    assert found.source == Source(uri=SHOP, commit=COMMIT)


def test_of_several_repositories_none_is_the_source() -> None:
    dependencies = [
        {"uri": SHOP, "digest": {"gitCommit": COMMIT}},
        {"uri": "git+https://github.com/shop/lib", "digest": {"gitCommit": COMMIT}},
    ]
    found = read(v1(resolvedDependencies=dependencies))
    assert len(found.sources) == 2
    assert found.source is None
    assert read(v1(resolvedDependencies=dependencies[:1])).source == Source(uri=SHOP, commit=COMMIT)


def test_values_that_are_no_texts_are_compared_as_json() -> None:
    parameters = {"a": {"b": True, "c": 1, "d": [1, "x"], "e": None, "f": 1.5}, "deep": {"x": {"y": {}}}}
    found = read(v1(externalParameters=parameters))
    assert dict(found.parameters) == {
        "a.b": "true",
        "a.c": "1",
        "a.d": '[1,"x"]',
        "a.e": "null",
        "a.f": "1.5",
        "deep.x.y": "{}",
    }


@pytest.mark.parametrize(
    ("predicate", "predicate_type", "code"),
    [
        ({}, "https://slsa.dev/provenance/v1/", "ATT_TYPE"),
        ({}, "https://slsa.dev/Provenance/v1", "ATT_TYPE"),
        ({}, PROVENANCE_V1, "ATT_MALFORMED"),
        ({}, PROVENANCE_V02, "ATT_MALFORMED"),
        (None, PROVENANCE_V1, "ATT_MALFORMED"),
        ([], PROVENANCE_V1, "ATT_MALFORMED"),
        (v1(resolvedDependencies=[{"uri": 7}]), PROVENANCE_V1, "ATT_MALFORMED"),
        (v1(resolvedDependencies=[{"uri": SHOP, "digest": {"gitCommit": "HEAD"}}]), PROVENANCE_V1, "ATT_MALFORMED"),
        (v1(resolvedDependencies=[{}] * (MAX_DEPENDENCIES + 1)), PROVENANCE_V1, "LIMIT_BUNDLE"),
        (v1(externalParameters={"a": {"b": "1"}, "a.b": "2"}), PROVENANCE_V1, "ATT_MALFORMED"),
        (v1(metadata={"finishedOn": "yesterday"}), PROVENANCE_V1, "ATT_MALFORMED"),
    ],
)
def test_what_is_no_provenance_is_refused(predicate: object, predicate_type: str, code: str) -> None:
    with pytest.raises(AttestationError) as caught:
        read(predicate, predicate_type)
    assert caught.value.code == code
