"""Merging: a union over scanners that joins what is one defect, welds nothing, and loses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gate.codec.values import encode_value
from gate.findings.merge import identities, merge_findings, severities
from gate.model.finding import Epss, Finding, FixState, Package, Tool, ToolFinding
from gate.model.severity import Severity
from tests.support.evidence import ZLIB, found, package
from tests.support.signing import NOW
from tests.support.sources import ROOT

TRIVY, GRYPE = Tool.TRIVY, Tool.GRYPE
LODASH = package("npm", "lodash", "4.17.11", path="app/node_modules/lodash/package.json")


def aliases(*names: str) -> frozenset[str]:
    return frozenset(names)


def ids(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.id for finding in findings]


# Joining


def test_both_scanners_with_one_cve_are_one_finding() -> None:
    (merged,) = merge_findings([found(TRIVY, "CVE-1"), found(GRYPE, "CVE-1")])
    assert merged.tools == {TRIVY, GRYPE}
    assert len(merged.seen_by) == 2


def test_what_only_one_sees_is_kept() -> None:
    assert ids(merge_findings([found(TRIVY, "CVE-1"), found(GRYPE, "CVE-2")])) == ["CVE-1", "CVE-2"]


def test_a_ghsa_joins_its_cve_and_the_cve_is_shown() -> None:
    one = found(TRIVY, "CVE-1", LODASH)
    other = found(GRYPE, "GHSA-a", LODASH, aliases=aliases("CVE-1"))
    (merged,) = merge_findings([one, other])
    assert (merged.id, merged.aliases) == ("CVE-1", aliases("CVE-1", "GHSA-a"))


def test_identities_join_over_several_steps() -> None:
    findings = [
        found(TRIVY, "PYSEC-1"),
        found(GRYPE, "GHSA-a", aliases=aliases("PYSEC-1")),
        found(GRYPE, "GO-1", aliases=aliases("GHSA-a")),
    ]
    (merged,) = merge_findings(findings)
    assert (merged.id, merged.aliases) == ("GHSA-a", aliases("GHSA-a", "PYSEC-1", "GO-1"))


@pytest.mark.parametrize(("names", "shown"), [(("PYSEC-1", "GO-1"), "GO-1"), (("TEMP-9-1",), "TEMP-9-1")])
def test_without_a_cve_and_a_ghsa_the_smallest_id_is_shown(names: tuple[str, ...], shown: str) -> None:
    (merged,) = merge_findings([found(TRIVY, names[0], aliases=aliases(*names[1:]))])
    assert merged.id == shown


@pytest.mark.parametrize("bundle", ["DSA-1-1", "USN-1-1", "RHSA-2024:1"])
def test_an_advisory_that_repairs_several_joins_nothing(bundle: str) -> None:
    one = found(TRIVY, "CVE-1", advisories=aliases(bundle))
    other = found(GRYPE, "CVE-2", advisories=aliases(bundle))
    assert ids(merge_findings([one, other])) == ["CVE-1", "CVE-2"]


def test_a_record_that_only_names_a_bundle_is_a_finding_of_its_own() -> None:
    only = found(TRIVY, "DSA-1-1", advisories=aliases("DSA-1-1"))
    assert identities(only) == frozenset()
    assert ids(merge_findings([only, found(GRYPE, "CVE-2", advisories=aliases("DSA-1-1"))])) == ["CVE-2", "DSA-1-1"]


def test_another_package_is_another_finding() -> None:
    other = package("deb", "libc6", "2.36-9", arch="amd64")
    assert len(merge_findings([found(TRIVY, "CVE-1"), found(GRYPE, "CVE-1", other)])) == 2


def test_another_version_is_another_finding() -> None:
    newer = package("deb", "zlib1g", "1:1.3", arch="amd64")
    first, second = merge_findings([found(TRIVY, "CVE-1"), found(GRYPE, "CVE-1", newer)])
    assert first.fingerprint == second.fingerprint


# One advisory, several CVEs (attack V11)


def test_an_advisory_with_two_cves_is_attached_to_each_and_joins_neither() -> None:
    both = found(GRYPE, "GHSA-a", LODASH, aliases=aliases("CVE-1", "CVE-2"), severity=Severity.CRITICAL)
    one = found(TRIVY, "CVE-1", LODASH, severity=Severity.LOW)
    first, second = merge_findings([both, one])
    assert (first.id, first.aliases, first.tools) == ("CVE-1", aliases("CVE-1", "GHSA-a"), frozenset({TRIVY, GRYPE}))
    assert (second.id, second.aliases, second.tools) == ("CVE-2", aliases("CVE-2", "GHSA-a"), frozenset({GRYPE}))
    assert (first.severity, second.severity) == (Severity.CRITICAL, Severity.CRITICAL)


def test_a_ghsa_that_two_cves_share_joins_neither() -> None:
    one = found(TRIVY, "CVE-1", LODASH, aliases=aliases("GHSA-a"))
    other = found(TRIVY, "CVE-2", LODASH, aliases=aliases("GHSA-a"))
    alone = found(GRYPE, "GHSA-a", LODASH)
    merged = merge_findings([one, other, alone])
    assert ids(merged) == ["CVE-1", "CVE-2", "GHSA-a"]
    assert [finding.aliases for finding in merged] == [{"CVE-1", "GHSA-a"}, {"CVE-2", "GHSA-a"}, {"GHSA-a"}]


def test_a_chain_of_identities_does_not_weld_two_cves() -> None:
    chain = [
        found(TRIVY, "CVE-1", aliases=aliases("GHSA-a")),
        found(GRYPE, "GHSA-a", aliases=aliases("PYSEC-b")),
        found(GRYPE, "PYSEC-b", aliases=aliases("CVE-2")),
    ]
    merged = merge_findings(chain)
    assert ids(merged) == ["CVE-1", "CVE-2", "GHSA-a"]
    assert not any({"CVE-1", "CVE-2"} <= finding.aliases for finding in merged)


# Loose joins


def jar(group: str, path: str = "app.jar") -> Package:
    return package("maven", "text", "1.9", namespace=group, path=path)


def test_a_jar_whose_group_one_scanner_guesses_is_one_package() -> None:
    (merged,) = merge_findings([found(TRIVY, "CVE-1", jar("org.apache")), found(GRYPE, "CVE-1", jar("text"))])
    assert merged.package == jar("org.apache")


def test_a_path_that_the_scanners_write_differently_is_one_package() -> None:
    nested = (found(TRIVY, "CVE-1", jar("g", "a.jar/b.jar")), found(GRYPE, "CVE-1", jar("g", "a.jar")))
    assert len(merge_findings(nested)) == 1


def test_with_two_candidates_on_one_side_nothing_is_guessed() -> None:
    three = (found(TRIVY, "CVE-1", jar("a")), found(GRYPE, "CVE-1", jar("b")), found(GRYPE, "CVE-1", jar("c")))
    assert len(merge_findings(three)) == 3


def test_two_jars_of_one_scanner_are_two() -> None:
    assert len(merge_findings([found(TRIVY, "CVE-1", jar("a")), found(TRIVY, "CVE-1", jar("b"))])) == 2


@pytest.mark.parametrize("kind", ["npm", "golang", "composer"])
def test_only_a_jars_group_is_guessed(kind: str) -> None:
    one, other = (package(kind, "x", "1.0", namespace=space) for space in ("a", "b"))
    assert len(merge_findings([found(TRIVY, "CVE-1", one), found(GRYPE, "CVE-1", other)])) == 2


# What a finding says


def test_the_higher_severity_counts_and_both_stay() -> None:
    (merged,) = merge_findings(
        [found(TRIVY, "CVE-1", severity=Severity.LOW), found(GRYPE, "CVE-1", severity=Severity.CRITICAL)]
    )
    assert merged.severity is Severity.CRITICAL
    assert severities(merged) == {TRIVY: Severity.LOW, GRYPE: Severity.CRITICAL}


def test_a_known_severity_wins_over_an_unknown_one() -> None:
    (merged,) = merge_findings(
        [found(TRIVY, "CVE-1", severity=Severity.UNKNOWN), found(GRYPE, "CVE-1", severity=Severity.NEGLIGIBLE)]
    )
    assert merged.severity is Severity.NEGLIGIBLE


def test_it_is_fixed_if_one_says_so() -> None:
    (merged,) = merge_findings(
        [
            found(TRIVY, "CVE-1", fix_state=FixState.WONT_FIX),
            found(GRYPE, "CVE-1", fix_state=FixState.FIXED, fixed_versions=("1:1.3",)),
        ]
    )
    assert (merged.fix_state, merged.fixed_versions) == (FixState.FIXED, ("1:1.3",))


def test_exploitation_likelihood_and_the_earliest_date_come_from_any_record() -> None:
    late, early = NOW, NOW.replace(year=2020)
    (merged,) = merge_findings(
        [
            found(TRIVY, "CVE-1", published=early),
            found(
                GRYPE,
                "CVE-1",
                kev=aliases("CVE-1"),
                epss=(Epss(cve="CVE-1", score=0.1, percentile=0.2), Epss(cve="CVE-1", score=0.9, percentile=0.9)),
                fix_available=late,
            ),
        ]
    )
    assert (merged.kev, merged.fix_known_since) == (aliases("CVE-1"), early)
    assert merged.epss is not None
    assert merged.epss.score == pytest.approx(0.9)


def test_a_fingerprint_holds_no_version_and_no_scanner() -> None:
    newer = replace(ZLIB, key=replace(ZLIB.key, version="2"))
    one, other = merge_findings([found(TRIVY, "CVE-1")]), merge_findings([found(GRYPE, "CVE-1", newer)])
    assert one[0].fingerprint == other[0].fingerprint
    assert len(one[0].fingerprint) == 16
    assert merge_findings([found(TRIVY, "CVE-2")])[0].fingerprint != one[0].fingerprint


# Properties

NAMES = st.sampled_from([f"CVE-{n}" for n in range(4)] + ["GHSA-a", "GHSA-b", "PYSEC-1", "TEMP-1"])
PLACES = st.sampled_from([ZLIB, LODASH, jar("a"), jar("b"), jar("a", "other.jar"), package("deb", "libc6", "2")])


@st.composite
def tool_findings(draw: st.DrawFn) -> ToolFinding:
    name = draw(NAMES)
    return found(
        draw(st.sampled_from([TRIVY, GRYPE])),
        name,
        draw(PLACES),
        draw(st.sampled_from(list(Severity))),
        aliases=draw(st.frozensets(NAMES, max_size=3)) - {name},
        advisories=draw(st.frozensets(st.sampled_from(["DSA-1-1", "USN-1-1"]), max_size=1)),
        fix_state=draw(st.sampled_from(list(FixState))),
        fixed_versions=draw(st.sampled_from([(), ("2",), ("3", "2")])),
    )


REPORTS = st.lists(tool_findings(), max_size=8)


@given(REPORTS, st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(reports: list[ToolFinding], random: object) -> None:
    shuffled = list(reports)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    assert encode_value(merge_findings(reports)) == encode_value(merge_findings(shuffled))


@given(REPORTS)
def test_nothing_is_lost(reports: list[ToolFinding]) -> None:
    merged = merge_findings(reports)
    assert {record for finding in merged for record in finding.seen_by} == set(reports)
    for record in reports:
        homes = [finding for finding in merged if record in finding.seen_by]
        assert identities(record) <= frozenset[str]().union(*(home.aliases for home in homes))
        assert all(home.severity.rank >= record.severity.rank for home in homes)


@given(REPORTS)
def test_no_finding_has_two_cves_of_different_records(reports: list[ToolFinding]) -> None:
    for finding in merge_findings(reports):
        assert sum(name.startswith("CVE-") for name in finding.aliases) <= 1


@given(REPORTS)
def test_no_two_findings_of_one_package_have_one_id(reports: list[ToolFinding]) -> None:
    merged = merge_findings(reports)
    names = [(finding.id, finding.package.key) for finding in merged]
    assert len(names) == len(set(names))


def test_records_that_differ_in_one_field_alone_have_an_order() -> None:
    twins = [
        found(TRIVY, "CVE-1"),
        found(TRIVY, "CVE-1", severity=Severity.LOW),
        found(TRIVY, "CVE-1", advisories=aliases("DSA-1-1")),
        found(TRIVY, "CVE-1", kev=aliases("CVE-1")),
        found(TRIVY, "CVE-1", published=NOW),
        found(TRIVY, "CVE-1", fix_available=NOW),
        found(TRIVY, "CVE-1", severity_source="nvd"),
        found(TRIVY, "CVE-1", epss=(Epss(cve="CVE-1", score=0.1, percentile=0.2),)),
        found(TRIVY, "CVE-1", guessed=True),
        found(TRIVY, "CVE-1", replace(ZLIB, source_name="zlib")),
    ]
    orders = {encode_value(merge_findings(twins[n:] + twins[:n])) for n in range(len(twins))}
    assert len(orders) == 1


def test_every_order_of_a_hard_case_gives_the_same_bytes() -> None:
    hard = [
        found(GRYPE, "GHSA-a", LODASH, aliases=aliases("CVE-1", "CVE-2")),
        found(TRIVY, "CVE-1", LODASH, aliases=aliases("GHSA-b")),
        found(GRYPE, "GHSA-b", LODASH, aliases=aliases("PYSEC-1")),
        found(GRYPE, "PYSEC-1", LODASH, aliases=aliases("CVE-3")),
    ]
    assert len({encode_value(merge_findings(order)) for order in permutations(hard)}) == 1


PROGRAM = """
import hashlib
from gate.codec.values import encode_value
from gate.findings.merge import merge_findings
from gate.model.finding import Severity, Tool
from tests.support.evidence import ZLIB, found
names = [f"CVE-{n}" for n in range(9)] + [f"GHSA-{n}" for n in range(9)]
records = [
    found(tool, name, ZLIB, aliases=frozenset(names[n::5]) - {name}, advisories=frozenset(names[n::7]), severity=severity)
    for n, name in enumerate(names) for tool in (Tool.TRIVY, Tool.GRYPE) for severity in Severity
]
print(hashlib.sha256(encode_value(merge_findings(set(records)))).hexdigest())
"""


def test_the_hash_seed_of_the_process_does_not_show() -> None:
    def digest(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout

    assert len({digest(seed) for seed in ("0", "1", "2", "3", "4")}) == 1
