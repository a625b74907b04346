"""The variables of the policy's own rules are those of the documentation, always all there, in a fixed order."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

from gate.codec.rule_facts import ProvenanceFact, SignatureFact, rule_facts
from gate.codec.strict_json import JsonValue
from gate.model.digest import Digest
from gate.model.finding import Epss, Finding, FixState, Package, PackageKey, Tool, ToolFinding
from gate.model.image import OCI_MANIFEST, Platform
from gate.model.image_config import HistoryEntry, ImageConfig
from gate.model.provenance import PROVENANCE_V1, Provenance, Source
from gate.model.reference import Repository
from gate.model.severity import Severity
from gate.model.string_map import StringMap
from gate.model.subject import Subject
from tests.support.sources import ROOT

SUBJECT = Subject(media_type=OCI_MANIFEST, digest=Digest.of(b"m"), size=7, platform=Platform("linux", "amd64"))
BARE = ImageConfig(platform=Platform("linux", "arm", "v7"), diff_ids=(Digest.of(b"a"), Digest.of(b"b")))
FULL = ImageConfig(
    platform=Platform("linux", "arm", "v7"),
    diff_ids=(Digest.of(b"a"),),
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    user="10001",
    exposed_ports=("22", "8080/TCP"),
    env=("PATH=/bin", "EMPTY=", "ODD"),
    entrypoint=("/app",),
    labels=StringMap.of({"team": "web"}),
    history=(HistoryEntry(created_by="RUN true"),),
)
ZLIB = PackageKey("deb", "debian", "zlib1g", "1.2", "amd64")
BUILT = ProvenanceFact(
    provenance=Provenance(
        predicate_type=PROVENANCE_V1,
        builder="https://builds.example/b",
        build_type="https://builds.example/v1",
        parameters=StringMap.of({"workflow.path": "release.yml"}),
    ),
    source=Source(uri="git+https://github.com/shop/web", ref="refs/heads/main", commit="a" * 40),
    level=3,
)
APP = PackageKey("pypi", "", "app", "1", "", "app/")


def finding(name: str, *, epss: Epss | None = None) -> Finding:
    package = Package(key=ZLIB, name="zlib1g", version="1.2")
    seen = ToolFinding(tool=Tool.GRYPE, id=name, package=package, severity=Severity.HIGH)
    return Finding(
        id=name,
        aliases=frozenset({name, "GHSA-x"}),
        package=package,
        severity=Severity.HIGH,
        seen_by=(seen,),
        fix_state=FixState.FIXED,
        fixed_versions=("1.3",),
        fingerprint=name.lower(),
        kev=frozenset({name}),
        epss=epss,
        fix_known_since=datetime(2026, 1, 2, tzinfo=UTC),
    )


def facts(config: ImageConfig = FULL, *, reverse: bool = False) -> dict[str, JsonValue]:
    step = -1 if reverse else 1
    return rule_facts(
        subject=SUBJECT,
        repository=Repository("registry.example", "shop/web"),
        config=config,
        packages=[ZLIB, APP, ZLIB][::step],
        findings=[finding("CVE-1"), finding("CVE-2", epss=Epss(cve="CVE-2", score=0.5, percentile=0.9))][::step],
        signatures=[SignatureFact(key_id="b"), SignatureFact(key_id="a", annotations=StringMap.of({"x": "y"}))][::step],
        provenance=[BUILT],
    )


def members(value: JsonValue) -> dict[str, JsonValue]:
    assert isinstance(value, dict)
    return value


def entries(value: JsonValue) -> list[JsonValue]:
    assert isinstance(value, list)
    return value


def test_an_image_says_what_its_configuration_says() -> None:
    image = members(facts()["image"])
    config = members(image["config"])
    assert (image["digest"], image["repository"], image["size"]) == (
        str(SUBJECT.digest),
        "registry.example/shop/web",
        7,
    )
    assert image["platform"] == {"os": "linux", "architecture": "arm", "variant": "v7"}
    assert config["exposedPorts"] == ["22/tcp", "8080/tcp"]
    assert config["env"] == {"PATH": "/bin", "EMPTY": "", "ODD": ""}
    assert (config["user"], config["created"], config["layers"]) == ("10001", "2026-01-02T03:04:05Z", 1)
    assert (config["labels"], config["history"]) == ({"team": "web"}, ["RUN true"])


def test_packages_findings_and_signatures_are_listed_once_and_in_order() -> None:
    assert facts() == facts(reverse=True)
    first, second = entries(facts()["findings"])
    assert [members(package)["name"] for package in entries(facts()["packages"])] == ["zlib1g", "app"]
    assert (members(first)["id"], members(first)["epss"], members(second)["epss"]) == ("CVE-1", [], [0.5])
    assert (members(first)["kev"], members(first)["tools"], members(first)["severityRank"]) == (True, ["grype"], 4)
    assert [members(signature)["keyId"] for signature in entries(facts()["signatures"])] == ["a", "b"]


def test_provenance_says_what_was_built_from_where() -> None:
    (fact,) = entries(facts()["provenance"])
    assert fact == {
        "builder": "https://builds.example/b",
        "buildType": "https://builds.example/v1",
        "source": "git+https://github.com/shop/web",
        "ref": "refs/heads/main",
        "commit": "a" * 40,
        "parameters": {"workflow.path": "release.yml"},
        "level": 3,
    }


def shape(value: JsonValue, free: frozenset[str] = frozenset({"env", "labels", "annotations"})) -> object:
    """Return the value with every list and free mapping emptied: what is always there."""
    if isinstance(value, dict):
        return {key: {} if key in free else shape(item) for key, item in value.items()}
    return [] if isinstance(value, list) else type(value).__name__


def test_p04_an_unusual_image_lacks_no_field() -> None:
    unusual = rule_facts(subject=SUBJECT, repository=None, config=BARE)
    assert shape(unusual) == shape(facts())


@pytest.mark.parametrize("config", [BARE, FULL])
def test_the_variables_are_json(config: ImageConfig) -> None:
    assert json.loads(json.dumps(facts(config))) == facts(config)


def test_the_documentation_lists_exactly_these() -> None:
    page = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
    table = page.split("| variable | what it holds |")[1].split("\n\n")[0]
    documented: set[str] = set()
    for cell in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE):
        tokens = re.findall(r"`([^`]+)`", cell)
        parent = tokens[0].rpartition(".")[0]
        documented |= {f"{parent}{token}" if token.startswith(".") else token for token in tokens}
    image = members(facts()["image"])
    made = {f"image.{key}" for key in image if key not in {"config", "platform"}}
    made |= {f"image.{part}.{key}" for part in ("config", "platform") for key in members(image[part])}
    assert documented == made | {"packages", "findings", "signatures", "provenance"}
    for name in ("packages", "findings", "signatures", "provenance"):
        listed = re.search(rf"^\| `{name}` \| a list of `\{{([^}}]+)\}}`", table, re.MULTILINE)
        assert listed is not None
        assert listed[1].split(", ") == list(members(entries(facts()[name])[0]))
