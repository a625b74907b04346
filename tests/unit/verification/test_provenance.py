"""Provenance under a certificate: the statement must not say anything else than what the authority saw (I05, I09)."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from gate.errors import GateError
from gate.model.policy import ProvenancePolicy, TrustedBuilder
from gate.model.provenance import PROVENANCE_V1
from gate.model.source_glob import SourceGlob
from gate.verification.provenance import VerifiedProvenance, require_provenance
from tests.support.identities import signer_of
from tests.support.signing import IMAGE, NOW, attached
from tests.support.virtual_sigstore import CLAIMS, SUBJECT, VirtualSigstore

VS = VirtualSigstore()
COMMIT = CLAIMS[13]
OLD_BUILDER = "https://github.com/actions/runner/github-hosted"
EVIL = "https://github.com/evil/web/.github/workflows/release.yml@refs/heads/main"


def statement(
    *,
    builder: str = SUBJECT,
    repository: str = "https://github.com/shop/web",
    ref: str = "refs/heads/main",
    commit: str = COMMIT,
) -> bytes:
    """Return what GitHub's generator writes."""
    dependency = {"uri": f"git+{repository}@{ref}", "digest": {"gitCommit": commit}}
    workflow = {"ref": ref, "repository": repository, "path": ".github/workflows/release.yml"}
    return json.dumps(
        {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "image", "digest": {"sha256": IMAGE.hex}}],
            "predicateType": PROVENANCE_V1,
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                    "externalParameters": {"workflow": workflow},
                    "resolvedDependencies": [dependency],
                },
                "runDetails": {"builder": {"id": builder}},
            },
        }
    ).encode()


def policy(*builders: str) -> ProvenancePolicy:
    """Return a policy that trusts these builders, signed by the identity of the test's workflow."""
    return ProvenancePolicy(
        signers=(signer_of(VS),),
        builders=tuple(TrustedBuilder(id=builder, level=3) for builder in builders or (SUBJECT, EVIL, OLD_BUILDER)),
        sources=(SourceGlob("git+https://github.com/**"),),
    )


def judged(payload: bytes, wanted: ProvenancePolicy | None = None, **claims: str) -> VerifiedProvenance:
    """Sign with a certificate whose extensions are changed (`x9="..."`), and demand."""
    extensions = dict(CLAIMS) | {int(name[1:]): text for name, text in claims.items()}
    kept = {number: text for number, text in extensions.items() if text}
    certificate = VS.issue(VS.leaf(extensions=kept))
    signing = VS.log1(VS.sign_statement(payload, certificate=certificate))
    return require_provenance(attached(signing.attachment()), wanted or policy(), NOW)


def refused(payload: bytes, wanted: ProvenancePolicy | None = None, **claims: str) -> str:
    with pytest.raises(GateError) as caught:
        judged(payload, wanted, **claims)
    return caught.value.code


def test_a_statement_that_says_what_the_certificate_says_is_accepted() -> None:
    found = judged(statement())
    assert (found.source.uri, found.source.commit, found.level) == ("git+https://github.com/shop/web", COMMIT, 3)
    assert found.signature.identity is not None


def test_the_runner_as_builder_fits_a_certificate_of_that_runner() -> None:
    assert judged(statement(builder=OLD_BUILDER)).provenance.builder == OLD_BUILDER
    assert refused(statement(builder=OLD_BUILDER), x11="self-hosted") == "ID_BUILDER"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"builder": EVIL}, "ID_BUILDER"),
        ({"repository": "https://github.com/shop/other"}, "ID_WORKFLOW"),
        ({"ref": "refs/heads/feature"}, "ID_WORKFLOW"),
        ({"commit": "b" * 40}, "ID_WORKFLOW"),
    ],
    ids=["I09-builder", "I05-repository", "I05-ref", "I05-commit"],
)
def test_a_trusted_workflow_cannot_speak_for_another(changes: dict[str, str], code: str) -> None:
    assert refused(statement(**changes)) == code


# In a reusable workflow .9 names the called workflow, .12 to .14 the caller: the same, varied in the certificate.
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        ({"x9": EVIL}, "ID_BUILDER"),
        ({"x12": "https://github.com/evil/web"}, "ID_WORKFLOW"),
        ({"x13": "b" * 40}, "ID_WORKFLOW"),
        ({"x14": "refs/pull/1/merge"}, "ID_WORKFLOW"),
    ],
    ids=["builder", "repository", "commit", "ref"],
)
def test_each_extension_is_compared(claims: dict[str, Any], code: str) -> None:
    assert refused(statement(), **claims) == code


def test_what_a_certificate_does_not_name_is_left_to_the_policy() -> None:
    unnamed: dict[str, Any] = {f"x{number}": "" for number in (9, 12, 13, 14)}
    assert judged(statement(), **unnamed).level == 3
    narrowed = dataclasses.replace(policy(), sources=(SourceGlob("git+https://github.com/other/**"),))
    assert refused(statement(), narrowed, **unnamed) == "PROV_MISMATCH"


def test_a_builder_that_the_policy_does_not_name_is_refused_whatever_the_certificate() -> None:
    assert refused(statement(), policy(EVIL)) == "ID_BUILDER"
    assert judged(statement(), policy(SUBJECT)).level == 3


RELEASED = "https://github.com/slsa/generator/.github/workflows/container.yml"


@pytest.mark.parametrize(
    ("claimed", "right"),
    [
        ("@refs/tags/v2.1.0", True),
        ("@refs/tags/2.1.0", True),
        ("@refs/tags/v2", False),
        ("@refs/tags/v2.1.0-rc.1", False),
        ("@refs/tags/v2.1.0\n", False),
        ("@refs/tags/v02.1.0", False),
        ("@refs/heads/main", False),
        ("@refs/heads/main@refs/tags/v2.1.0", False),
        ("", False),
        (".evil@refs/tags/v2.1.0", False),
    ],
)
def test_a_builder_at_any_release_is_no_builder_at_a_branch(claimed: str, right: bool) -> None:  # noqa: FBT001
    assert TrustedBuilder(id=f"{RELEASED}@refs/tags/*").is_builder(RELEASED + claimed) is right


def test_an_exact_builder_is_itself_alone() -> None:
    exact = TrustedBuilder(id=f"{RELEASED}@refs/tags/v2.1.0")
    assert exact.is_builder(f"{RELEASED}@refs/tags/v2.1.0")
    assert not exact.is_builder(f"{RELEASED}@refs/tags/v2.1.1")
    assert not TrustedBuilder(id="https://tekton.dev/chains/v2").is_builder(
        "https://tekton.dev/chains/v2@refs/tags/v1.0.0"
    )
