"""The section `spec.secrets` of a policy. Specification: DESIGN, section 6."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct
from gate.codec.policy.vulnerabilities import read_fail_or_ignore
from gate.errors import UsageError
from gate.model.digest import Digest
from gate.model.finding import SecretGrade, Tool
from gate.model.policy import FailOrIgnore, SecretAllowance, SecretRuleFile, SecretsFailOn, SecretsPolicy

if TYPE_CHECKING:
    from gate.codec.policy.files import FileReader
    from gate.codec.yaml_node import Node

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{16,64}", re.ASCII)
_MAX_RULE_FILES: Final = 20


def read_secrets(node: Node, files: FileReader) -> SecretsPolicy:
    """Read `spec.secrets`; what the rule files hold is read by whoever searches with them.

    Raises:
        PolicyError: one of `POL_*`.
    """
    fields = node.fields(POLICY_KEYS["spec.secrets"])
    return SecretsPolicy(
        fail_on=fields.get("failOn", _fail_on, SecretsFailOn()),
        scanners=fields.get("scanners", _scanners, frozenset({Tool.GATE})),
        allow=fields.get("allow", _allowances, ()),
        unopened=fields.get("unopened", read_fail_or_ignore, FailOrIgnore.FAIL),
        rules=fields.get("rules", partial(_rule_files, files=files), ()),
    )


class _Word(StrEnum):
    """The words that stood here before there were grades; each still means what it meant."""

    ANY = "any"
    LIVE = "live"
    NONE = "none"


class _Live(StrEnum):
    ONLY = "only"
    ANY = "any"


_WORDS: Final[Mapping[_Word, SecretsFailOn]] = MappingProxyType(
    {
        _Word.ANY: SecretsFailOn(own=SecretGrade.POSSIBLE, packaged=SecretGrade.POSSIBLE),
        _Word.LIVE: SecretsFailOn(own=SecretGrade.POSSIBLE, packaged=SecretGrade.POSSIBLE, live_only=True),
        _Word.NONE: SecretsFailOn(own=None, packaged=None),
    }
)


def _fail_on(node: Node) -> SecretsFailOn:
    if node.kind != "mapping":
        return _WORDS[node.choice(_Word)]
    fields = node.fields(POLICY_KEYS["spec.secrets.failOn"])
    standard = SecretsFailOn()
    return SecretsFailOn(
        own=fields.get("own", _grade, standard.own),
        packaged=fields.get("packaged", _grade, standard.packaged),
        live_only=fields.get("live", lambda value: value.choice(_Live), _Live.ANY) is _Live.ONLY,
    )


def _scanners(node: Node) -> frozenset[Tool]:
    """Read who searches: the gate, whose own findings have grade and origin, and Trivy beside it where it is asked."""
    tools = [item.choice(Tool, without=frozenset({Tool.GRYPE})) for item in node.items(empty_code="POL_MALFORMED")]
    distinct(node, tools, "scanner")
    if Tool.GATE not in tools:
        expected = "[gate], or [gate, trivy]"
        raise node.refuse("leaves the gate's own search out", expected=expected, seen=", ".join(tools))
    return frozenset(tools)


def _grade(node: Node) -> SecretGrade | None:
    return None if node.text() == "none" else node.choice(SecretGrade)


def _rule_files(node: Node, *, files: FileReader) -> tuple[SecretRuleFile, ...]:
    read = [files.node(item) for item in node.items(most=_MAX_RULE_FILES)]
    distinct(node, (file.path for file in read), "file")
    return tuple(SecretRuleFile(path=file.path, content=file.data, digest=file.digest) for file in read)


def _allowances(node: Node) -> tuple[SecretAllowance, ...]:
    allowances = [_allowance(item) for item in node.items()]
    distinct(node, (allowance.fingerprint or str(allowance.file) for allowance in allowances), "entry")
    return tuple(allowances)


def _allowance(node: Node) -> SecretAllowance:
    fields = node.fields(POLICY_KEYS["spec.secrets.allow[]"], missing="POL_WAIVER")
    fields.one_of("fingerprint", "file")
    return SecretAllowance(
        fingerprint=fields.get(
            "fingerprint", lambda value: value.matching(_FINGERPRINT, "the finding's fingerprint"), ""
        ),
        file=fields.get("file", _digest, None),
        reason=fields.demand("reason", lambda value: value.text()),
        owner=fields.demand("owner", lambda value: value.text()),
        expires=fields.demand("expires", lambda value: value.date()),
    )


def _digest(node: Node) -> Digest:
    text = node.text()
    try:
        return Digest(text)
    except UsageError as error:
        raise node.refuse("is not a digest", expected="sha256: and 64 lower-case hex digits", seen=text) from error
