"""SBOMs that the real Trivy and Grype wrote, attested by the real Cosign, are what a policy demands; broken ones are not."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from cyclonedx.model.bom import Bom
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion

import gate
from gate.model.decision import Decision
from gate.model.verdict import Verdict
from gate.pipeline.collect import documents
from gate.pipeline.handoff import read_unsigned
from gate.sandbox import cyclonedx
from tests.integration.conftest import Shop
from tests.support.cosign import Cosign
from tests.support.installation import shop_policy
from tests.support.programs import Tools
from tools.advisories.build import build_databases

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

IMAGE: Final = "vulnerable-npm"
_ENVIRONMENT: Final = {"GRYPE_DB_AUTO_UPDATE": "false", "GRYPE_CHECK_FOR_APP_UPDATE": "false"}


@pytest.fixture(scope="module")
def written(shop: Shop, tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return the documents that each tool writes of one image, and Trivy's in the older versions that the library writes."""
    folder = tmp_path_factory.mktemp("sboms")
    layout = alone(shop.installed.copy(IMAGE, folder / "image"))
    flags = (
        "--skip-db-update",
        "--skip-java-db-update",
        "--skip-version-check",
        "--disable-telemetry",
        "--offline-scan",
    )
    trivy_image = [str(tools.trivy), "image", "--input", str(layout), "--cache-dir", str(folder / "cache"), *flags]
    run([*trivy_image, "--format", "cyclonedx", "--output", "trivy.json"], folder)
    databases = build_databases(folder, datetime.now(UTC), tools.grype)
    cached = {"GRYPE_DB_CACHE_DIR": str(databases.grype_cache), "GRYPE_DB_VALIDATE_AGE": "false"}
    run([str(tools.grype), f"oci-dir:{layout}", "-o", "cyclonedx-json=grype.json"], folder, **cached)
    trivy, grype = (json.loads((folder / f"{tool}.json").read_bytes()) for tool in ("trivy", "grype"))
    older = {f"trivy-{version}": in_version(trivy, version) for version in ("1.4", "1.5", "1.6")}
    return {"trivy": trivy, "grype": grype, **older}


def alone(layout: Path) -> Path:
    """Take the signature out of a layout's index: Grype reads one image or none."""
    index = json.loads((layout / "index.json").read_bytes())
    (layout / "index.json").write_text(json.dumps(index | {"manifests": index["manifests"][:1]}), encoding="utf-8")
    return layout


def run(command: list[str], folder: Path, **environment: str) -> None:
    variables = {**os.environ, **_ENVIRONMENT, **environment}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=variables)
    assert done.returncode == 0, done.stderr


def in_version(document: dict[str, Any], version: str) -> dict[str, Any]:
    read = Bom.from_json(document)  # type: ignore[attr-defined] # added by a decorator
    text = make_outputter(read, OutputFormat.JSON, SchemaVersion.from_version(version)).output_as_string()
    found: dict[str, Any] = json.loads(text)
    return found


def attest(shop: Shop, tools: Tools, folder: Path, reference: str, document: str) -> subprocess.CompletedProcess[str]:
    file = folder / "predicate.json"
    file.write_text(document, encoding="utf-8")
    options = ("--tlog-upload=false", "--use-signing-config=false", "--yes", "--new-bundle-format=true")
    key = str(shop.installed.private_key("build"))
    return Cosign(tools.cosign, folder).run(
        "attest", "--key", key, "--type", "cyclonedx", "--predicate", str(file), *options, reference
    )


def demanding(shop: Shop, own: Path) -> Path:
    """Write a policy that demands the SBOM, and nothing for which a scanner runs."""
    pem = shop.installed.public_key_file("build").read_text(encoding="utf-8")
    demanded = [{"type": "cyclonedx", "signers": [{"key": {"pem": pem}}], "maxAge": "2d"}]
    policy = own / "policy.yaml"
    policy.write_bytes(
        shop_policy(shop.installed, vulnerabilities=None, secrets=None, image=None, attestations=demanded)
    )
    return policy


def judged(shop: Shop, reference: str, own: Path) -> Verdict:
    options = shop.installed.options(own, registry=shop.options, policy=demanding(shop, own))
    return gate.check(reference, options).verdict


def verdict_on(shop: Shop, tools: Tools, own: Path, name: str, document: dict[str, Any]) -> Verdict:
    reference = shop.reference(IMAGE, f"shop/{name}")
    done = attest(shop, tools, own, reference, json.dumps(document))
    assert done.returncode == 0, done.stderr
    return judged(shop, reference, own)


def codes(verdict: Verdict) -> set[str]:
    return {code for check in verdict.checks for code in check.codes}


@pytest.mark.parametrize("tool", ["trivy", "grype", "trivy-1.4", "trivy-1.5", "trivy-1.6"])
def test_what_the_tools_write_is_accepted(
    shop: Shop, tools: Tools, own: Path, written: dict[str, dict[str, Any]], tool: str
) -> None:
    document = written[tool]
    assert document["specVersion"] == tool.partition("-")[2] or "1.7"
    assert document["components"]
    verdict = verdict_on(shop, tools, own, f"sbom-{tool}", document)
    assert verdict.decision is Decision.PASSED, [check.problems for check in verdict.checks]


def emptied(document: dict[str, Any]) -> None:
    document["components"] = []


def mistyped(document: dict[str, Any]) -> None:
    document["components"][0]["type"] = "package"


def overfull(document: dict[str, Any]) -> None:
    document["components"][0]["maintainer"] = "somebody"


def doubled(document: dict[str, Any]) -> None:
    document["components"][1]["bom-ref"] = document["components"][0]["bom-ref"]


def of_a_later_version(document: dict[str, Any]) -> None:
    document["specVersion"] = "1.9"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (emptied, "lists nothing"),
        (mistyped, "components/0/type: enum"),
        (overfull, "'maintainer' was unexpected"),
        (doubled, "names a second thing"),
        (of_a_later_version, "is of another kind"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_document_that_is_broken_in_one_place_is_refused(
    shop: Shop,
    tools: Tools,
    own: Path,
    written: dict[str, dict[str, Any]],
    change: Callable[[dict[str, Any]], None],
    words: str,
) -> None:
    document = copy.deepcopy(written["trivy"])
    change(document)
    verdict = verdict_on(shop, tools, own, f"broken-{change.__name__}", document)
    assert (verdict.decision, codes(verdict)) == (Decision.REFUSED, {"ATT_MALFORMED"})
    (problem,) = [found for check in verdict.checks for found in check.problems]
    assert words in f"{problem.message} {problem.seen}"


def test_a_document_that_cannot_be_validated_in_time_is_not_judged(
    shop: Shop, tools: Tools, own: Path, written: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it is judged anew as soon as it can be: what could not be found out is not remembered."""
    with monkeypatch.context() as hurried:
        hurried.setattr(documents, "DEFAULT_TIME_LIMIT", cyclonedx.DEFAULT_TIME_LIMIT / 10**6)
        verdict = verdict_on(shop, tools, own, "slow", written["trivy"])
        assert (verdict.decision, codes(verdict)) == (Decision.ERROR, {"LIMIT_DOCUMENT"})
    assert judged(shop, shop.reference(IMAGE, "shop/slow"), own).decision is Decision.PASSED


def test_of_two_jobs_the_one_that_signs_validates_for_itself(
    shop: Shop, tools: Tools, own: Path, written: dict[str, dict[str, Any]]
) -> None:
    reference, file = shop.reference(IMAGE, "shop/two-jobs"), own / "verdict.unsigned"
    done = attest(shop, tools, own, reference, json.dumps(written["trivy"]))
    assert done.returncode == 0, done.stderr
    policy = demanding(shop, own)
    options = shop.installed.options(own, registry=shop.options, policy=policy, signer=None, unsigned_file=file)
    assert gate.check(reference, options).verdict.decision is Decision.PASSED
    handoff = read_unsigned(file, None)
    signing = shop.installed.options(
        own, cold=True, registry=shop.options, policy=policy, handoff=handoff, platforms=handoff.verdict.platforms
    )
    run = gate.check(reference, signing)
    assert (run.verdict.decision, bool(run.attestations)) == (Decision.PASSED, True)


def test_cosign_attests_no_xml_as_cyclonedx(
    shop: Shop, tools: Tools, own: Path, written: dict[str, dict[str, Any]]
) -> None:
    """What the gate says of XML in a statement is for other tools: Cosign itself refuses it."""
    reference = shop.reference(IMAGE, "shop/xml")
    text = make_outputter(
        Bom.from_json(written["trivy"]),  # type: ignore[attr-defined] # added by a decorator
        OutputFormat.XML,
        SchemaVersion.V1_6,
    ).output_as_string()
    done = attest(shop, tools, own, reference, text)
    assert done.returncode != 0
    assert "invalid character '<'" in done.stderr
    assert codes(judged(shop, reference, own)) == {"ATT_TYPE_MISSING"}
