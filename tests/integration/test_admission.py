"""The admission service as a process of its own, with a real registry and real verdicts, asked as an API server asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gate
from tests.integration.conftest import Shop
from tests.support.admission import POD, RunningService, codes, pod, requirement, review, run_service
from tests.support.programs import Tools
from tests.support.registries import run_olareg

pytestmark = pytest.mark.real_tools
MANIFESTS = {
    "Deployment": "apps",
    "ReplicaSet": "apps",
    "StatefulSet": "apps",
    "DaemonSet": "apps",
    "Job": "batch",
    "ReplicationController": "",
}


@pytest.fixture(scope="module")
def demand(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demand") / "requirement.yaml"
    path.write_text(requirement(shop.installed, f"{shop.registry.host}/**"))
    return path


@pytest.fixture(scope="module")
def service(demand: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with run_service(tmp_path_factory.mktemp("service"), [demand]) as running:
        yield running


@pytest.fixture(scope="module")
def unjudged(shop: Shop) -> str:
    return shop.reference("clean", "admission/unjudged")


def test_a_pod_with_a_passing_verdict_starts(service: RunningService, good: str) -> None:
    response = service.judge(good)
    assert response["allowed"] is True
    assert response["uid"] == "705ab4f5"
    assert response["auditAnnotations"]["verdicts"].startswith("sha256:")


def test_a_failed_verdict_and_none_are_refused_with_their_codes(
    service: RunningService, bad: str, unjudged: str
) -> None:
    failed, missing = service.judge(bad), service.judge(unjudged)
    assert (failed["allowed"], codes(failed)) == (False, "ATT_VERDICT_FAIL")
    assert (missing["allowed"], codes(missing)) == (False, "ATT_MISSING")
    message = failed["status"]["message"]
    assert message.startswith(f"gate: spec.containers[0].image {bad}: ATT_VERDICT_FAIL ")
    assert "next: " in message


def test_k14_a_tag_is_refused_though_it_names_a_good_image(service: RunningService, good: str) -> None:
    tagged = good.partition("@")[0] + ":latest"
    response = service.judge(tagged)
    assert (response["allowed"], codes(response)) == (False, "REF_NOT_DIGEST")
    both = service.judge(good.replace("@", ":v1@"))
    assert both["allowed"] is True


def test_one_bad_image_refuses_the_pod(service: RunningService, good: str, bad: str) -> None:
    response = service.judge(good, bad, good)
    assert response["allowed"] is False
    assert response["status"]["message"].count("\n") == 0
    assert "spec.containers[1].image" in response["status"]["message"]


@pytest.mark.parametrize("kind", MANIFESTS)
def test_k04_every_workload_is_judged_by_its_template(service: RunningService, good: str, bad: str, kind: str) -> None:
    for image, allowed in ((good, True), (bad, False)):
        value = {"kind": kind, "spec": {"template": {"spec": pod(image)["spec"]}}}
        named = {"group": MANIFESTS[kind], "version": "v1", "kind": kind}
        assert service.answer(review(value, kind=named))["allowed"] is allowed


def test_k04_cron_jobs_and_pod_templates_are_judged(service: RunningService, good: str, bad: str) -> None:
    for image, allowed in ((good, True), (bad, False)):
        spec = pod(image)["spec"]
        cron = {"spec": {"jobTemplate": {"spec": {"template": {"spec": spec}}}}}
        template = {"template": {"spec": spec}}
        batch = {"group": "batch", "version": "v1", "kind": "CronJob"}
        assert service.answer(review(cron, kind=batch))["allowed"] is allowed
        assert service.answer(review(template, kind={**POD, "kind": "PodTemplate"}))["allowed"] is allowed


def test_k01_k02_every_place_of_an_image_is_judged(service: RunningService, good: str, bad: str) -> None:
    for image, allowed in ((good, True), (bad, False)):
        places = [
            pod(good, initContainers=[{"name": "i", "image": image, "restartPolicy": "Always"}]),
            pod(good, ephemeralContainers=[{"name": "e", "image": image}]),
            pod(good, volumes=[{"name": "v", "image": {"reference": image, "pullPolicy": "IfNotPresent"}}]),
        ]
        for value in places:
            assert service.answer(review(value))["allowed"] is allowed
    debug = review(pod(good, ephemeralContainers=[{"name": "e", "image": bad}]), operation="UPDATE", old=pod(good))
    debug["request"]["subResource"] = "ephemeralcontainers"
    assert service.answer(debug)["allowed"] is False


def test_k02_a_field_that_looks_like_an_image_and_is_not_known_refuses(service: RunningService, good: str) -> None:
    unknown = [
        pod(good, sandbox={"image": "evil.example/x:1"}),
        pod(good, volumes=[{"name": "v", "oci": {"imageReference": "evil.example/x:1"}}]),
        {"metadata": {}, "spec": {"containers": [{"name": "c", "image": good, "checkpoint": {"image": "x"}}]}},
        {"metadata": {}, "spec": {"containers": [{"name": "c"}]}},
    ]
    for value in unknown:
        assert codes(service.answer(review(value))) == "ADM_IMAGE_FIELD"
    block = pod(good, volumes=[{"name": "v", "rbd": {"image": "disk1", "monitors": ["m"]}}])
    assert service.answer(review(block))["allowed"] is True


def test_k03_an_update_is_judged_by_the_images_that_it_brings(service: RunningService, good: str, bad: str) -> None:
    assert service.answer(review(pod(bad), operation="UPDATE", old=pod(good)))["allowed"] is False
    assert service.answer(review(pod(good), operation="UPDATE", old=pod(bad)))["allowed"] is True
    # Taking a label off what runs starts nothing.
    assert service.answer(review(pod(bad), operation="UPDATE", old=pod(bad)))["allowed"] is True
    assert codes(service.answer(review(pod(bad), operation="UPDATE", old=None))) == "ADM_MALFORMED"


def test_an_update_that_starts_nothing_keeps_no_object_from_ending(
    service: RunningService, good: str, bad: str
) -> None:
    unknown = pod(good, sandbox={"image": "evil.example/x:1"})
    ended = json.loads(json.dumps(unknown))
    ended["metadata"]["finalizers"] = []
    ended["status"] = {"phase": "Succeeded"}
    assert service.answer(review(ended, operation="UPDATE", old=unknown))["allowed"] is True
    changed = pod(bad, sandbox={"image": "evil.example/x:1"})
    assert service.answer(review(changed, operation="UPDATE", old=unknown))["allowed"] is False
    # What an old object had in a place that nobody knows counts as nothing.
    assert service.answer(review(pod(bad), operation="UPDATE", old=changed))["allowed"] is False


def test_an_image_that_was_only_mounted_is_judged_before_it_runs(service: RunningService, good: str, bad: str) -> None:
    volume = [{"name": "v", "image": {"reference": bad}}]
    assert service.answer(review(pod(bad), operation="UPDATE", old=pod(good, volumes=volume)))["allowed"] is False


def test_k02_names_that_end_like_an_image_are_refused_and_labels_are_not(service: RunningService, good: str) -> None:
    for name in ("debugImage", "imageName", "sidecarImages"):
        assert codes(service.answer(review(pod(good, **{name: "evil.example/x:1"})))) == "ADM_IMAGE_FIELD"
    assert service.answer(review(pod(good, nodeSelector={"image": "fast"})))["allowed"] is True
    assert service.answer(review(pod(good, imagePullSecrets=[{"name": "x"}])))["allowed"] is True


def test_k05_k06_k07_nothing_that_the_object_says_of_itself_counts(service: RunningService, bad: str) -> None:
    forged = pod(bad)
    forged["metadata"] |= {
        "annotations": {"gate.example/verified": "PASSED", "verdicts": "sha256:0"},
        "labels": {"gate.example/exempt": "true"},
        "ownerReferences": [{"kind": "Deployment", "name": "good", "uid": "1", "controller": True}],
        "deletionTimestamp": "2026-01-01T00:00:00Z",
    }
    assert service.answer(review(forged))["allowed"] is False
    assert (
        service.answer(review(forged, operation="UPDATE", old=pod("registry.example/x@sha256:" + "0" * 64)))["allowed"]
        is False
    )
    admin = {"username": "system:admin", "groups": ["system:masters"]}
    assert service.answer(review(pod(bad), userInfo=admin))["allowed"] is False


def test_what_starts_nothing_is_let_through(service: RunningService, bad: str) -> None:
    assert service.answer(review(None, operation="DELETE", old=pod(bad)))["allowed"] is True
    assert service.answer(review(pod(bad), operation="CREATE", dryRun=True))["allowed"] is False


def test_a_kind_that_nobody_knows_is_refused(service: RunningService, good: str) -> None:
    rollout = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
    value = {"spec": {"template": {"spec": pod(good)["spec"]}}}
    assert codes(service.answer(review(value, kind=rollout))) == "ADM_KIND"


def _raw(request: str) -> bytes:
    return f'{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{request}}}'.encode()


MALFORMED = [
    b"",
    b"null",
    b"[]",
    b"{}",
    _raw("null"),
    _raw("{}").replace(b"/v1", b"/v1beta1"),
    _raw(
        '{"uid":"1","operation":"CREATE","kind":{"kind":"Pod"},"object":{"spec":{"containers":[{"image":"a","image":"b"}]}}}'
    ),
    _raw('{"uid":"1","operation":"EXEC","kind":{"kind":"Pod"}}'),
    _raw('{"uid":"","operation":"CREATE","kind":{"kind":"Pod"}}'),
    _raw('{"uid":"1","operation":"CREATE","kind":{"kind":"Pod"},"object":{}}'),
    b"[" * 10_000,
]


@pytest.mark.parametrize("body", MALFORMED)
def test_k11_what_is_no_review_is_refused(service: RunningService, body: bytes) -> None:
    status, answer = service.ask(body)
    response = json.loads(answer)["response"]
    assert status == 200
    assert response["allowed"] is False
    assert codes(response) == "ADM_MALFORMED"


def test_k11_a_body_that_is_too_large_or_no_json_by_its_type_is_refused(service: RunningService, good: str) -> None:
    large = json.dumps(review(pod(good, padding="x" * (4 * 1024 * 1024)))).encode()
    assert service.ask(large)[0] == 413
    body = json.dumps(review(pod(good))).encode()
    assert service.ask(body, headers={"Content-Type": "text/plain"})[0] == 415
    assert service.ask(body, headers={})[0] == 415
    assert service.ask(body, headers={"Content-Type": "application/json; charset=utf-8"})[0] == 200


@pytest.mark.parametrize(
    "path", ["//validate", "/validate/", "/validate/..", "/Validate", "/%76alidate", "/", "/validate%00"]
)
def test_k12_no_other_spelling_of_a_path_leads_here(service: RunningService, good: str, path: str) -> None:
    assert service.ask(json.dumps(review(pod(good))).encode(), path)[0] == 404
    assert service.ask(b"", "/validate", "GET")[0] == 404


def test_k17_an_object_with_too_many_images_is_refused_and_no_name_makes_a_metric(
    service: RunningService, good: str
) -> None:
    host = good.partition("/")[0]
    many = [f"{host}/x/{number}@sha256:{number:064x}" for number in range(101)]
    assert codes(service.judge(*many)) == "LIMIT_IMAGES"
    before = service.ask(b"", "/metrics", "GET")[1].decode().count("\n")
    service.judge(*many[:20])
    assert service.ask(b"", "/metrics", "GET")[1].decode().count("\n") == before


def test_k18_a_registry_that_no_entry_names_is_never_contacted(
    service: RunningService, tmp_path: Path, tools: Tools
) -> None:
    with run_olareg(tools.olareg, tmp_path / "other") as other:
        lookups = service.metric("gate_admission_lookups_total")
        response = service.judge(f"{other.host}/evil/x@sha256:{'0' * 64}")
        assert codes(response) == "REF_REGISTRY"
        assert service.metric("gate_admission_lookups_total") == lookups


def test_eight_containers_of_one_digest_cost_one_look_up_and_then_none(
    service: RunningService, shop: Shop, tmp_path: Path
) -> None:
    reference = shop.reference("clean", "admission/eight")
    gate.check(reference, shop.installed.options(tmp_path))
    before = service.metric("gate_admission_lookups_total")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.judge(*[reference] * 8), range(8)))
    assert all(answer["allowed"] for answer in answers)
    assert service.metric("gate_admission_lookups_total") == before + 1


def test_a_refusal_ends_when_a_verdict_comes(service: RunningService, shop: Shop, tmp_path: Path) -> None:
    reference = shop.reference("clean", "admission/later")
    assert service.judge(reference)["allowed"] is False
    gate.check(reference, shop.installed.options(tmp_path))
    assert service.ask(b"", "/v1/refresh")[0] == 200
    assert service.judge(reference)["allowed"] is True


def test_v1_verify_says_what_gate_verify_says(service: RunningService, good: str, bad: str) -> None:
    status, body = service.ask(json.dumps({"images": [good, bad]}).encode(), "/v1/verify")
    found = json.loads(body)
    assert (status, found["allowed"]) == (200, False)
    assert [row["allowed"] for row in found["images"]] == [True, False]
    assert found["images"][1]["error"]["code"] == "ATT_VERDICT_FAIL"
    assert found["images"][1]["error"]["exitCode"] == 1
    wrong = json.loads(service.ask(b'{"images": []}', "/v1/verify")[1])
    assert (wrong["allowed"], wrong["error"]["code"]) == (False, "ADM_MALFORMED")
