"""What the real Cosign attests, in both of its formats, is what a policy demands of provenance and attestations."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

import gate
from gate.model.decision import Decision
from gate.model.reference import RegistryReference, parse_reference
from gate.model.verdict import Verdict
from tests.integration.conftest import Shop
from tests.support.cosign import Cosign
from tests.support.installation import VERIFIER, shop_policy
from tests.support.programs import Tools

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

BUILDER: Final = "https://github.com/shop/build/.github/workflows/image.yml@refs/heads/main"
COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
FORMATS: Final = ("bundle", "tag")


def provenance(builder: str = BUILDER, commit: str = COMMIT) -> dict[str, Any]:
    return {
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": {
                "workflow": {
                    "ref": "refs/heads/main",
                    "repository": "https://github.com/shop/web",
                    "path": ".github/workflows/release.yml",
                }
            },
            "internalParameters": {},
            "resolvedDependencies": [
                {"uri": "git+https://github.com/shop/web@refs/heads/main", "digest": {"gitCommit": commit}}
            ],
        },
        "runDetails": {"builder": {"id": builder}, "metadata": {"invocationId": "https://github.com/shop/web/runs/1"}},
    }


def documents(at: datetime) -> dict[str, dict[str, Any]]:
    """Return a document for each of Cosign's words, made at this moment."""
    time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    component = {"type": "library", "name": "zlib", "version": "1.3"}
    return {
        "slsaprovenance1": provenance(),
        "cyclonedx": {
            "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "metadata": {"timestamp": time},
            "components": [component],
        },
        "spdxjson": {
            "spdxVersion": "SPDX-2.3", "SPDXID": "SPDXRef-DOCUMENT", "name": "web", "dataLicense": "CC0-1.0",
            "documentNamespace": "https://shop.example/web", "creationInfo": {"created": time, "creators": ["Tool: x"]},
            "packages": [{"name": "zlib", "SPDXID": "SPDXRef-zlib", "downloadLocation": "NOASSERTION"}],
        },
        "vuln": {
            "invocation": {"parameters": [], "uri": "", "event_id": "", "builder.id": ""},
            "scanner": {"uri": "pkg:github/aquasecurity/trivy@v0.72.0", "version": "0.72.0", "db": {}, "result": {}},
            "metadata": {"scanStartedOn": time, "scanFinishedOn": time},
        },
        "https://shop.example/review/v1": {"approvedBy": "somebody"},
    }  # fmt: skip


def attested(shop: Shop, tools: Tools, folder: Path, name: str, *, form: str, without: str = "") -> str:
    """Return a signed image on which the build has hung everything but one."""
    reference = shop.reference("clean", f"shop/{name}")
    cosign = Cosign(tools.cosign, folder)
    key = shop.installed.private_key("build")
    options = (
        "--tlog-upload=false",
        "--use-signing-config=false",
        "--yes",
        f"--new-bundle-format={str(form == 'bundle').lower()}",
    )
    for kind, document in documents(datetime.now(UTC)).items():
        if kind != without:
            file = folder / "predicate.json"
            file.write_text(json.dumps(document), encoding="utf-8")
            done = cosign.run(
                "attest", "--key", str(key), "--type", kind, "--predicate", str(file), *options, reference
            )
            assert done.returncode == 0, done.stderr
    return reference


def judged(shop: Shop, reference: str, own: Path, **changes: Any) -> Verdict:  # noqa: ANN401 - sections of the policy
    """Judge under a policy that asks for all of it and for no scan."""
    pem = shop.installed.public_key_file("build").read_text(encoding="utf-8")
    signers = [{"key": {"pem": pem}}]
    sections: dict[str, Any] = {
        "provenance": {
            "signers": signers,
            "builder": [{"id": BUILDER, "level": 3}],
            "source": "git+https://github.com/shop/**",
            "ref": "refs/heads/main",
            "parameters": {"workflow.path": ".github/workflows/release.yml"},
            "minimumLevel": 3,
        },
        "attestations": [
            {"type": kind, "signers": signers, "maxAge": "2d"} for kind in ("cyclonedx", "spdx", "vulnerabilities")
        ]
        + [{"type": "https://shop.example/review/v1", "signers": signers}],
    }
    policy = own / "policy.yaml"
    unasked = {"vulnerabilities": None, "secrets": None, "image": {"user": "non-root"}}
    policy.write_bytes(shop_policy(shop.installed, **(unasked | sections | changes)))
    file = own / "verdict.vsa.dsse.json"
    options = shop.installed.options(own, registry=shop.options, policy=policy, envelope_file=file)
    return gate.check(reference, options).verdict


def codes(verdict: Verdict) -> set[str]:
    return {code for check in verdict.checks for code in check.codes}


@pytest.mark.parametrize("form", FORMATS)
def test_all_that_cosign_attested_is_accepted(shop: Shop, tools: Tools, own: Path, tmp_path: Path, form: str) -> None:
    reference = attested(shop, tools, tmp_path, f"attested-{form}", form=form)
    verdict = judged(shop, reference, own)
    assert verdict.decision is Decision.PASSED, codes(verdict)
    assert verdict.build_level == 3
    # The signature of the image, the provenance, and four attestations.
    assert len(verdict.signatures) == 6


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    ("without", "code"),
    [("slsaprovenance1", "PROV_MISSING"), ("cyclonedx", "ATT_TYPE_MISSING"), ("vuln", "ATT_TYPE_MISSING")],
)
def test_each_is_demanded_for_itself(
    shop: Shop, tools: Tools, own: Path, tmp_path: Path, form: str, without: str, code: str
) -> None:
    reference = attested(shop, tools, tmp_path, f"lacking-{without}-{form}", form=form, without=without)
    verdict = judged(shop, reference, own)
    assert verdict.decision is Decision.REFUSED
    assert codes(verdict) == {code}


def test_the_proven_level_is_what_slsa_verifier_reads(shop: Shop, tools: Tools, own: Path, tmp_path: Path) -> None:
    reference = attested(shop, tools, tmp_path, "levelled", form="bundle")
    assert judged(shop, reference, own).decision is Decision.PASSED
    parsed = parse_reference(reference)
    assert isinstance(parsed, RegistryReference)

    def accepts(level: str) -> bool:
        environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        arguments = [
            "verify-vsa",
            *("--subject-digest", str(parsed.digest)),
            *("--attestation-path", str(own / "verdict.vsa.dsse.json")),
            *("--resource-uri", f"oci://{reference}"),
            *("--verifier-id", VERIFIER),
            *("--public-key-path", str(shop.installed.public_key_file())),
            *("--verified-level", level),
        ]
        done = subprocess.run(
            [str(tools.slsa_verifier), *arguments], env=environment, capture_output=True, timeout=60, check=False
        )
        return done.returncode == 0

    assert accepts("SLSA_BUILD_LEVEL_3")
    assert accepts("GATE_PASSED")
    assert not accepts("SLSA_BUILD_LEVEL_4")


def test_what_the_policy_narrows_is_refused(shop: Shop, tools: Tools, own: Path, tmp_path: Path) -> None:
    reference = attested(shop, tools, tmp_path, "narrowed", form="bundle")
    stranger = shop.installed.public_key_file("stranger").read_text(encoding="utf-8")
    build = shop.installed.public_key_file("build").read_text(encoding="utf-8")
    good = {"signers": [{"key": {"pem": build}}], "builder": [BUILDER]}
    assert judged(shop, reference, own, provenance=good, attestations=None).decision is Decision.PASSED
    for change, code in (
        ({"signers": [{"key": {"pem": stranger}}]}, "ID_MISMATCH"),
        ({"builder": ["https://builds.example/other"]}, "ID_BUILDER"),
        ({"source": "git+https://github.com/other/**"}, "PROV_MISMATCH"),
        ({"ref": "refs/tags/*"}, "PROV_MISMATCH"),
    ):
        verdict = judged(shop, reference, own, provenance=good | change, attestations=None)
        assert codes(verdict) == {code}


def test_the_label_is_compared_with_the_provenance(shop: Shop, tools: Tools, own: Path, tmp_path: Path) -> None:
    reference = attested(shop, tools, tmp_path, "labelled", form="bundle")
    verdict = judged(shop, reference, own, image={"user": "non-root", "revision": "provenance"})
    # The images of the tests are built from no commit of this provenance.
    assert codes(verdict) == {"IMG_REVISION"}


def test_unsigned_provenance_of_buildkit_proves_nothing(shop: Shop, own: Path) -> None:
    verdict = judged(shop, shop.reference("index-good", "shop/buildkit"), own, attestations=None)
    assert codes(verdict) == {"PROV_MISSING"}
    (check,) = [check for check in verdict.checks if check.id == "provenance"]
    assert "unsigned BuildKit provenance" in check.problems[0].seen


def test_rules_may_speak_of_the_provenance(shop: Shop, tools: Tools, own: Path, tmp_path: Path) -> None:
    reference = attested(shop, tools, tmp_path, "ruled", form="bundle")
    rule = {"id": "released", "message": "only what the release workflow built"}
    met = rule | {"cel": "provenance.exists(p, p.level >= 3 && p.parameters['workflow.path'].endsWith('release.yml'))"}
    assert judged(shop, reference, own, rules=[met]).decision is Decision.PASSED
    other = rule | {"cel": "provenance.all(p, p.ref.startsWith('refs/tags/'))"}
    assert codes(judged(shop, reference, own, rules=[other])) == {"RULE_VIOLATED"}
