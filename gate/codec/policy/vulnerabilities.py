"""The section `spec.vulnerabilities` of a policy, with the VEX documents and threat data that it points to.

Specification: DESIGN, section 6; checks reference, sections 5.4 to 5.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from gate.codec.policy.keys import POLICY_KEYS
from gate.codec.policy.patterns import distinct, read_narrow_glob, read_purl_pattern
from gate.codec.policy.signers import read_signer
from gate.codec.strict_json import Fault
from gate.codec.vex import parse_vex
from gate.codec.yaml_node import Node
from gate.errors import PolicyError, UsageError
from gate.model.digest import Digest
from gate.model.finding import Tool
from gate.model.policy import (
    DEFAULT_DATABASE_MAX_AGE,
    EpssRule,
    FailOrIgnore,
    Quorum,
    VexAuthor,
    VulnerabilityPolicy,
)
from gate.model.severity import Severity

if TYPE_CHECKING:
    from gate.codec.policy.files import FileReader
    from gate.codec.yaml_node import Fields
    from gate.model.vex import VexDocument

# A database of a season knows nothing of a season's advisories; an air gap is bridged more often than that.
MAX_DATABASE_AGE: Final = timedelta(days=90)
MAX_GRACE: Final = timedelta(days=365)
MAX_DATA_AGE: Final = timedelta(days=365)
_KEYS = "spec.vulnerabilities"
_SCANNERS = frozenset({Tool.TRIVY, Tool.GRYPE})
_NO_THRESHOLD = frozenset({Severity.UNKNOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class VulnerabilitySection:
    """The section's policy, and path and digest of the threat data that the pipeline reads as evidence."""

    policy: VulnerabilityPolicy
    kev_file: tuple[str, Digest] | None = None
    epss_file: tuple[str, Digest] | None = None


def read_vulnerabilities(node: Node, files: FileReader) -> VulnerabilitySection:
    """Read the whole section."""
    fields = node.fields(POLICY_KEYS[_KEYS])
    require, quorum = fields.get("scanners", _scanners, (_SCANNERS, Quorum.ANY))
    vex = fields.get("vex", partial(_vex, files=files), ())
    epss, epss_file = fields.get("epss", partial(_epss, files=files), (None, None))
    policy = VulnerabilityPolicy(
        require=require,
        quorum=quorum,
        database_max_age=fields.get(
            "databaseMaxAge", lambda value: value.duration(MAX_DATABASE_AGE), DEFAULT_DATABASE_MAX_AGE
        ),
        fail_on=fields.get("failOn", _threshold, Severity.HIGH),
        unknown_severity=fields.get("unknownSeverity", _threshold, None),
        ignore_unfixed=fields.get("ignoreUnfixed", Node.boolean, default=False),
        grace=fields.get("grace", _grace, ()),
        kev=fields.get("kev", read_fail_or_ignore, FailOrIgnore.FAIL),
        kev_max_age=fields.get("kevMaxAge", _data_age, None),
        epss=epss,
        vex=tuple(item for item in vex if not isinstance(item, VexAuthor)),
        vex_authors=tuple(item for item in vex if isinstance(item, VexAuthor)),
        end_of_life=fields.get("endOfLife", read_fail_or_ignore, FailOrIgnore.FAIL),
        empty_base=fields.get("emptyBase", _empty_base, ()),
    )
    kev_file = fields.get("kevData", partial(_data_file, files=files), None)
    _require_effect(fields, policy)
    return VulnerabilitySection(policy=policy, kev_file=kev_file, epss_file=epss_file)


def _require_effect(fields: Fields, policy: VulnerabilityPolicy) -> None:
    """Refuse what can never turn a verdict beside the other keys of the section."""
    if "kevData" in fields and policy.kev is FailOrIgnore.IGNORE:
        raise fields.values["kevData"].refuse("decides nothing", expected="kev: fail, or no data", seen="kev: ignore")
    if "kevMaxAge" in fields and "kevData" not in fields:
        raise fields.values["kevMaxAge"].refuse("is the age of no file", expected="kevData beside it")
    for severity, _ in policy.grace:
        if severity.rank < policy.fail_on.rank:
            expected = f"severities from failOn ({policy.fail_on}) on, which refuse without it"
            raise fields.values["grace"].refuse("spares what does not refuse", expected=expected, seen=severity.value)


def _data_age(node: Node) -> timedelta:
    return node.duration(MAX_DATA_AGE)


def read_fail_or_ignore(node: Node) -> FailOrIgnore:
    """Read `fail` or `ignore`."""
    return node.choice(FailOrIgnore)


def _threshold(node: Node) -> Severity:
    return node.choice(Severity, without=_NO_THRESHOLD)


def _scanners(node: Node) -> tuple[frozenset[Tool], Quorum]:
    fields = node.fields(POLICY_KEYS[f"{_KEYS}.scanners"])
    quorum = fields.get("quorum", lambda value: value.choice(Quorum), Quorum.ANY)
    require = fields.get("require", _tools, _SCANNERS)
    if quorum is not Quorum.ANY and len(require) < len(_SCANNERS):
        expected = "both scanners required, or quorum: any"
        raise node.refuse("compares two scanners and requires one", expected=expected, seen=f"quorum: {quorum}")
    return require, quorum


def _tools(node: Node) -> frozenset[Tool]:
    tools = [item.choice(Tool, without=frozenset({Tool.GATE})) for item in node.items(empty_code="POL_MALFORMED")]
    return frozenset(distinct(node, tools, "scanner"))


def _grace(node: Node) -> tuple[tuple[Severity, timedelta], ...]:
    """Read severity → days, given highest severity first."""
    allowed = [severity.value for severity in Severity if severity not in _NO_THRESHOLD]
    fields = node.fields(allowed)
    days = [(Severity(key), value.duration(MAX_GRACE)) for key, value in fields.values.items()]
    return tuple(sorted(days, key=lambda pair: -pair[0].rank))


def _epss(node: Node, files: FileReader) -> tuple[EpssRule, tuple[str, Digest]]:
    fields = node.fields(POLICY_KEYS[f"{_KEYS}.epss"])
    rule = EpssRule(
        fail_above=fields.demand("failAbove", lambda value: value.number(0, 1)),
        max_age=fields.get("maxAge", _data_age, None),
    )
    if rule.fail_above >= 1:
        raise fields.values["failAbove"].refuse("is over every probability", expected="less than 1", seen="1")
    return rule, fields.demand("data", partial(_data_file, files=files))


def _data_file(node: Node, files: FileReader) -> tuple[str, Digest]:
    return files.data_file(node)


def _vex(node: Node, files: FileReader) -> tuple[VexDocument | VexAuthor, ...]:
    return tuple(entry for item in node.items(most=200) for entry in _vex_entry(item, files))


def _vex_entry(node: Node, files: FileReader) -> tuple[VexDocument | VexAuthor, ...]:
    """Read a pinned document, or signers with the packages that they may speak for."""
    fields = node.fields(POLICY_KEYS[f"{_KEYS}.vex[]"])
    if fields.one_of("file", "signers") == "file":
        return (_vex_file(node, fields, files),)
    if "sha256" in fields:
        raise node.refuse("pins no file", expected="sha256 beside file only", seen="signers and sha256")
    products = fields.demand("products", _products)
    signers = fields.demand("signers", lambda value: value.items(most=100, empty_code="POL_EMPTY_IDENTITY"))
    return tuple(VexAuthor(signer=read_signer(signer, files), products=products) for signer in signers)


def _vex_file(node: Node, fields: Fields, files: FileReader) -> VexDocument:
    file = files.fields(fields)
    where = f"{node.document}:{node.line}:{node.column}: {node.path}: {file.path}"
    fault = Fault(PolicyError, "POL_FILE", where)
    return parse_vex(file.data, fault, source=f"file {file.path}", products=fields.get("products", _products, ()))


def _products(node: Node) -> tuple[str, ...]:
    items = node.items(empty_code="POL_EMPTY_IDENTITY")
    return distinct(node, (read_purl_pattern(item) for item in items), "pattern")


def _empty_base(node: Node) -> tuple[str, ...]:
    return distinct(node, (_digest_or_repository(item) for item in node.items()), "base")


def _digest_or_repository(node: Node) -> str:
    """Read the digest of a base, or a pattern over repositories."""
    text = node.text()
    if not text.startswith("sha256:"):
        return str(read_narrow_glob(node, code="POL_MALFORMED"))
    try:
        return str(Digest(text))
    except UsageError as error:
        raise node.refuse("is not a digest", expected="sha256: and 64 lower-case hex digits", seen=text) from error
