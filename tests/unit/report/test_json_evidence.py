"""What a verdict rests on, in the JSON report: trusted roots, the proven level, the job that scanned, where there are any."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema

from gate.codec.strict_json import JsonValue
from gate.decide import decide
from gate.model.digest import Digest
from gate.model.evidence import EvidenceOrigin
from gate.model.trust import TrustSource
from gate.model.verdict import AcceptedSignature, UsedRoot
from gate.report.json_evidence import evidence_of
from gate.report.json_report import report_schema
from tests.support.evidence import FULL_SPEC, good_evidence
from tests.support.policies import policy, policy_document
from tests.support.signing import NOW


def test_build_level_and_the_scanning_job_are_shown_where_there_are_any() -> None:
    verdict = decide(good_evidence(), policy(policy_document(**FULL_SPEC)), NOW)
    assert not {"buildLevel", "gatheredBy"} & evidence_of(verdict).keys()
    file = Digest.of(b"the file")
    elsewhere = replace(verdict, build_level=3, origin=EvidenceOrigin(file=file, gathered_at=NOW, gate="1.0.0"))
    shown = evidence_of(elsewhere)
    assert shown["buildLevel"] == 3
    assert shown["gatheredBy"] == {"file": str(file), "gatheredAt": "2026-03-01T12:00:00Z", "gate": "1.0.0"}


def test_all_that_may_be_shown_is_valid_to_the_published_schema() -> None:
    """Of a verdict that has everything: a signature by identity, its root, a proven level, another job's scan."""
    root = Digest.of(b"root")
    verdict = replace(
        decide(good_evidence(), policy(policy_document(**FULL_SPEC)), NOW),
        build_level=3,
        origin=EvidenceOrigin(file=Digest.of(b"the file"), gathered_at=NOW, gate="1.0.0"),
        signatures=(AcceptedSignature(key_id="k", format="bundle", identity="a", issuer="b", trusted_root=root),),
        trusted_roots=(UsedRoot(name="public", digest=root, source=TrustSource.SHIPPED, place="sigstore", newest=NOW),),
    )
    schema = json.loads(report_schema())
    evidence = jsonschema.Draft202012Validator(schema["$defs"]["evidence"] | {"$defs": schema["$defs"]})
    shown = evidence_of(verdict)
    evidence.validate(shown)
    told: dict[str, JsonValue] = {
        "name": "public", "digest": str(root), "source": "shipped", "place": "sigstore",
        "newestEntryFrom": "2026-03-01T12:00:00Z", "ends": None,
    }  # fmt: skip
    assert shown["trustedRoots"] == [told]
    assert not evidence.is_valid(shown | {"trustedRoots": [told | {"source": "somewhere"}]})
