"""The sections `spec.provenance` and `spec.attestations` of a policy.

Signers and builders are always demanded: provenance by anybody, or of any builder, proves nothing (attacks A01, I06, I09).

Specification: DESIGN, section 6; formats reference, sections 10.7 and 13.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct
from gate.codec.policy.signers import read_signer
from gate.codec.source_uri import normal_source
from gate.codec.yaml_node import Node, nearest
from gate.model.glob import Glob
from gate.model.policy import ANY_RELEASE, AttestationRule, ProvenancePolicy, TrustedBuilder
from gate.model.predicate import AttestationKind
from gate.model.provenance import PROVENANCE_TYPES
from gate.model.source_glob import SourceGlob
from gate.model.string_map import StringMap

if TYPE_CHECKING:
    from gate.codec.policy.files import FileReader
    from gate.model.policy_signers import Signer

MAX_LEVEL: Final = 3
_EMPTY: Final = "POL_EMPTY_IDENTITY"
_BUILDER: Final = re.compile(r"[a-z][a-z0-9+.-]*:[!-~]{1,500}", re.ASCII)
# GitHub names a builder that is a workflow with the ref at which it was called, always.
_WORKFLOW: Final = re.compile(r"https://[^/@]+/[^/@]+/[^/@]+/\.github/workflows/[^/@]+\.ya?ml", re.ASCII)
_TYPE: Final = re.compile(r"[!-~]{1,500}", re.ASCII)
_URI: Final = re.compile(r"https?://[!-~]{1,500}", re.ASCII)
_PARAMETER: Final = re.compile(r"[A-Za-z0-9_-]{1,128}(?:\.[A-Za-z0-9_-]{1,128}){0,7}", re.ASCII)
_REF: Final = re.compile(r"refs/[!-~]{1,250}", re.ASCII)


def read_provenance(node: Node, files: FileReader) -> ProvenancePolicy:
    """Read `spec.provenance`."""
    fields = node.fields(POLICY_KEYS["spec.provenance"], missing=_EMPTY)
    policy = ProvenancePolicy(
        signers=fields.demand("signers", partial(_signers, files=files)),
        builders=fields.demand("builder", _builders),
        sources=fields.get("source", _sources, ()),
        refs=fields.get("ref", _refs, ()),
        build_types=fields.get("buildType", _build_types, ()),
        parameters=fields.get("parameters", _parameters, StringMap()),
        minimum_level=fields.get("minimumLevel", lambda value: value.integer(1, MAX_LEVEL), 1),
    )
    highest = max(builder.level for builder in policy.builders)
    if highest < policy.minimum_level:
        expected = f"a builder that is trusted with level {policy.minimum_level} or more"
        raise node.refuse("can never be met", expected=expected, seen=f"builders up to level {highest}")
    return policy


def _signers(node: Node, files: FileReader) -> tuple[Signer, ...]:
    signers = tuple(read_signer(item, files) for item in node.items(most=100, empty_code=_EMPTY))
    return distinct(node, signers, "signer")


def _builders(node: Node) -> tuple[TrustedBuilder, ...]:
    builders = tuple(_builder(item) for item in node.items(most=100, empty_code=_EMPTY))
    distinct(node, (builder.id for builder in builders), "builder")
    return builders


def _builder(node: Node) -> TrustedBuilder:
    """Read a builder's id, alone or with the level that it is trusted with."""
    if node.kind != "mapping":
        return TrustedBuilder(id=_builder_id(node))
    fields = node.fields(POLICY_KEYS["spec.provenance.builder[]"], missing=_EMPTY)
    return TrustedBuilder(
        id=fields.demand("id", _builder_id), level=fields.get("level", lambda value: value.integer(1, MAX_LEVEL), 1)
    )


def _builder_id(node: Node) -> str:
    """Read a builder's id; one of a reusable workflow without its version is that workflow at any released tag."""
    text = node.matching(_BUILDER, "the builder's whole id, a URI")
    stem = text.removesuffix(ANY_RELEASE)
    if "*" in stem or (stem != text and "@" in stem):
        expected = f"an exact id, or one that ends in {ANY_RELEASE}: at any released tag, as v1.2.3"
        raise node.refuse("can never match a builder", expected=expected, seen=text)
    return f"{text}{ANY_RELEASE}" if _WORKFLOW.fullmatch(text) else text


def _one_or_more(node: Node) -> tuple[Node, ...]:
    """Return the values of a list that is not empty, or the one value that stands in its place."""
    return node.items(most=100, empty_code="POL_MALFORMED") if node.kind == "sequence" else (node,)


def _sources(node: Node) -> tuple[SourceGlob, ...]:
    return distinct(node, (_source(item) for item in _one_or_more(node)), "source")


def _source(node: Node) -> SourceGlob:
    text = node.text(max_bytes=512)
    # An address that the pattern matches: if it is written another way in normal form, no source can ever have it.
    example = text.replace("**", "x/x").replace("*", "x")
    normal = normal_source(example)
    try:
        pattern = SourceGlob(text)
    except ValueError as error:
        expected = "a pattern over sources, as git+https://github.com/shop/**"
        raise node.refuse("is not a pattern over sources", expected=expected, seen=text) from error
    if normal != example:
        expected = f"the normal form, as {normal}" if normal else "git+https://host/path without .git"
        raise node.refuse("can never match a source", expected=expected, seen=text)
    return pattern


def _refs(node: Node) -> tuple[Glob, ...]:
    return distinct(node, (_ref(item) for item in _one_or_more(node)), "ref")


def _ref(node: Node) -> Glob:
    text = node.matching(_REF, "a whole ref or a pattern over refs, as refs/heads/main or refs/tags/*")
    try:
        return Glob(text)
    except ValueError as error:
        raise node.refuse("is not a pattern over refs", expected="* within a part, ** across", seen=text) from error


def _build_types(node: Node) -> tuple[str, ...]:
    types = (item.matching(_TYPE, "the exact build type, a URI") for item in _one_or_more(node))
    return distinct(node, types, "build type")


def _parameters(node: Node) -> StringMap:
    entries = node.entries(most=100)
    if not entries:
        raise node.refuse("demands nothing", expected="at least one external parameter")
    for entry in entries:
        if not _PARAMETER.fullmatch(entry.key):
            expected = "names joined by dots, as workflow.path"
            raise entry.node.refuse("is not the path of a parameter", expected=expected, seen=entry.key)
    return StringMap.of({entry.key: entry.node.text() for entry in entries})


def read_attestations(node: Node, files: FileReader) -> tuple[AttestationRule, ...]:
    """Read `spec.attestations`: a list that is not empty, in which no type stands twice."""
    rules = tuple(_rule(item, files) for item in node.items(most=100, empty_code="POL_MALFORMED"))
    distinct(node, (rule.type for rule in rules), "type")
    return rules


def _rule(node: Node, files: FileReader) -> AttestationRule:
    fields = node.fields(POLICY_KEYS["spec.attestations[]"], missing=_EMPTY)
    return AttestationRule(
        type=fields.demand("type", _attestation_type),
        signers=fields.demand("signers", partial(_signers, files=files)),
        max_age=fields.get("maxAge", Node.duration, None),
    )


def _attestation_type(node: Node) -> str:
    text = node.text()
    if text in PROVENANCE_TYPES:
        expected = "the section `provenance`, which also judges what it says"
        raise node.refuse("is judged elsewhere", expected=expected, seen=text)
    words = [kind.value for kind in AttestationKind]
    if text in words or _URI.fullmatch(text):
        return text
    near = nearest(text, words)
    expected = near or f"{' | '.join(words)}, or the whole URI of a predicate type"
    raise node.refuse("is no type of attestation", expected=expected, seen=text)
