"""SLSA provenance v0.2 and v1, read into one form: GitHub's generator and attestations, BuildKit, Tekton Chains.

Refuses another predicate type, addresses with user names, and lists over their caps before it looks at an item. Where a build
names its source depends on who wrote the predicate; what is not clear stays several sources, and no first one is taken for the
right one. Only statements whose signature was verified come here.

Specification: `https://slsa.dev/provenance/v0.2`, `https://slsa.dev/provenance/v1`; formats reference, section 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from gate.codec.source_uri import read_source
from gate.codec.strict_json import canonical_json
from gate.codec.times import parse_time
from gate.model.provenance import PROVENANCE_TYPES, PROVENANCE_V02, PROVENANCE_V1, Provenance, Source
from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from gate.codec.statement import Statement
    from gate.codec.strict_json import JsonValue, ObjectView

MAX_DEPENDENCIES: Final = 10_000
MAX_PARAMETERS: Final = 1000
MAX_PARAMETER_DEPTH: Final = 8
GITHUB_WORKFLOW: Final = "https://actions.github.io/buildtypes/workflow/v1"
# BuildKit writes where its context came from into vendor fields of the metadata (moby/buildkit, docs/attestations).
_BUILDKIT_V02: Final = "https://mobyproject.org/buildkit@v1#metadata"
_BUILDKIT_V1: Final = "buildkit_metadata"
# Tekton Chains marks what a task said of its inputs (tektoncd/chains, docs/slsa-provenance.md).
_TEKTON: Final = "tekton.dev/"
_TEKTON_INPUT: Final = "inputs/result"


def parse_provenance(statement: Statement) -> Provenance:
    """Read the predicate of a statement.

    Raises:
        AttestationError: `ATT_TYPE` for another predicate; `ATT_MALFORMED` for fields of another form; `LIMIT_BUNDLE`.
    """
    predicate_type = statement.predicate_type
    if predicate_type not in PROVENANCE_TYPES:
        raise statement.view.refuse(
            "predicateType",
            "is not provenance",
            code="ATT_TYPE",
            expected=" or ".join(sorted(PROVENANCE_TYPES)),
            seen=predicate_type,
        )
    predicate = statement.view.object("predicate")
    return _read_v1(predicate) if predicate_type == PROVENANCE_V1 else _read_v02(predicate)


def _read_v02(predicate: ObjectView) -> Provenance:
    invocation = predicate.optional_object("invocation")
    metadata = predicate.optional_object("metadata")
    config = invocation.optional_object("configSource") if invocation is not None else None
    configured = _sources([config] if config is not None else ())
    materials = _sources(_bounded(predicate, "materials"))
    build_type = predicate.text("buildType")
    if _TEKTON in build_type:
        # There the configuration is the pipeline's own definition, not what it builds.
        others = tuple(source for source in materials if source.uri not in {item.uri for item in configured})
        configured, materials = others, configured
    return Provenance(
        predicate_type=PROVENANCE_V02,
        builder=_builder(predicate),
        build_type=build_type,
        sources=_chosen(configured, _vcs(metadata, _BUILDKIT_V02), materials),
        parameters=_parameters(invocation, "parameters"),
        run=metadata.optional_text("buildInvocationId") if metadata is not None else "",
        finished=_time(metadata, "buildFinishedOn"),
    )


def _read_v1(predicate: ObjectView) -> Provenance:
    definition, details = predicate.object("buildDefinition"), predicate.object("runDetails")
    metadata = details.optional_object("metadata")
    dependencies = _bounded(definition, "resolvedDependencies")
    inputs = [item for item in dependencies if item.optional_text("name").startswith(_TEKTON_INPUT)]
    return Provenance(
        predicate_type=PROVENANCE_V1,
        builder=_builder(details),
        build_type=definition.text("buildType"),
        sources=_chosen(
            _declared(definition), _vcs(metadata, _BUILDKIT_V1), _sources(inputs) or _sources(dependencies)
        ),
        parameters=_parameters(definition, "externalParameters"),
        run=metadata.optional_text("invocationId") if metadata is not None else "",
        finished=_time(metadata, "finishedOn"),
    )


def _builder(view: ObjectView) -> str:
    """Return the builder's id; BuildKit leaves it out, and no policy names ""."""
    builder = view.optional_object("builder")
    return builder.optional_text("id") if builder is not None else ""


def _declared(definition: ObjectView) -> tuple[Source, ...]:
    """Return the source that the external parameters name: GitHub's workflow, BuildKit's context."""
    parameters = definition.optional_object("externalParameters")
    if parameters is None:
        return ()
    if definition.text("buildType") == GITHUB_WORKFLOW:
        workflow = parameters.object("workflow")
        return (read_source(workflow, "repository", ref=workflow.text("ref")),)
    config = parameters.optional_object("configSource")
    return _sources([config] if config is not None else ())


def _vcs(metadata: ObjectView | None, field: str) -> tuple[Source, ...]:
    """Return the repository that BuildKit found its context in, with the commit of the work tree."""
    vendor = metadata.optional_object(field) if metadata is not None else None
    vcs = vendor.optional_object("vcs") if vendor is not None else None
    if vcs is None or not vcs.has("source"):
        return ()
    return (read_source(vcs, "source", commit=vcs.optional_text("revision")),)


def _bounded(view: ObjectView, key: str) -> tuple[ObjectView, ...]:
    items = view.optional_objects(key)
    if len(items) > MAX_DEPENDENCIES:
        raise view.refuse(
            key, "has too many items", code="LIMIT_BUNDLE", expected=f"at most {MAX_DEPENDENCIES}", seen=str(len(items))
        )
    return items


def _sources(items: Iterable[ObjectView]) -> tuple[Source, ...]:
    """Return the git repositories among descriptors of artifacts, each once; images and archives are no source."""
    found = (read_source(item, "uri") for item in items if _is_git(item))
    return tuple(dict.fromkeys(found))


def _is_git(item: ObjectView) -> bool:
    uri = item.optional_text("uri")
    address = uri.partition("#")[0].partition("@refs/")[0].removesuffix("/")
    digests = item.optional_text_map("digest")
    return uri.startswith(("git+", "git:", "git@", "ssh:")) or address.endswith(".git") or "gitCommit" in digests


def _chosen(*candidates: tuple[Source, ...]) -> tuple[Source, ...]:
    """Return the first place that names any source, with what later places know of the same repository.

    The generator names its source twice, GitHub names the commit among the dependencies. Where two places contradict each
    other both stay, so that the source is not clear.
    """
    for rank, named in enumerate(candidates):
        if named:
            later = [source for place in candidates[rank + 1 :] for source in place]
            return tuple(dict.fromkeys(whole for source in named for whole in _completed(source, later)))
    return ()


def _completed(source: Source, later: Iterable[Source]) -> Iterator[Source]:
    same = [source, *(other for other in later if other.uri == source.uri)]
    commits = dict.fromkeys(other.commit for other in same if other.commit) or {"": None}
    ref = next((other.ref for other in same if other.ref), "")
    for commit in commits:
        yield Source(uri=source.uri, ref=ref, commit=commit)


def _parameters(view: ObjectView | None, key: str) -> StringMap:
    parameters = view.fields.get(key) if view is not None else None
    pairs: dict[str, str] = {}
    if view is None or not isinstance(parameters, dict):
        return StringMap()
    for path, value in _flat(parameters, "", MAX_PARAMETER_DEPTH):
        if path in pairs or len(pairs) >= MAX_PARAMETERS:
            raise view.refuse(
                key, "is not clear or too large", expected=f"at most {MAX_PARAMETERS} values, each path once", seen=path
            )
        pairs[path] = value
    return StringMap.of(pairs)


def _flat(value: JsonValue, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """Return each value by its path; lists and what lies too deep stay JSON."""
    if isinstance(value, dict) and value and depth:
        for name, item in value.items():
            yield from _flat(item, f"{path}.{name}" if path else name, depth - 1)
    elif path:
        yield path, value if isinstance(value, str) else _json(value)


def _json(value: JsonValue) -> str:
    # A float has no canonical form: it is shown as Python writes it, and compared as text.
    return repr(value) if isinstance(value, float) else _canonical(value)


def _canonical(value: JsonValue) -> str:
    try:
        return canonical_json(value).decode()
    except TypeError:
        return repr(value)


def _time(metadata: ObjectView | None, key: str) -> datetime | None:
    text = metadata.optional_text(key) if metadata is not None else ""
    return parse_time(text, metadata.fault, key) if text and metadata is not None else None
