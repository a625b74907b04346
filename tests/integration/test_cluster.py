"""A real API server asks the admission service, by the configuration that ships."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import gate
from tests.integration.conftest import Shop
from tests.support.admission import RunningService, pod, requirement, run_service
from tests.support.certificates import write_server_certificate
from tests.support.cluster import Cluster, run_cluster
from tests.support.programs import Tools
from tests.support.sources import ROOT

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]
PODS = "/api/v1/namespaces/shop/pods"


@pytest.fixture(scope="module")
def webhook(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("webhook")
    certificate = write_server_certificate(folder)
    document = folder / "requirement.yaml"
    document.write_text(requirement(shop.installed, f"{shop.registry.host}/**"))
    words = ("--tls-cert", str(certificate.certificate), "--tls-key", str(certificate.key))
    with run_service(folder / "service", [document], *words, authority=certificate.authority) as running:
        yield running


@pytest.fixture(scope="module")
def cluster(tools: Tools, webhook: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(tools, tmp_path_factory.mktemp("cluster")) as running:
        assert webhook.authority is not None
        configure(running, webhook.port, webhook.authority.read_bytes())
        yield running


def configuration(port: int, authority: bytes) -> dict[str, Any]:
    """Return the configuration that ships, pointed at a service outside the cluster."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "manifests" / "webhook.yaml").read_text())
    (hook,) = found["webhooks"]
    hook["clientConfig"] = {
        "url": f"https://127.0.0.1:{port}/validate",
        "caBundle": base64.b64encode(authority).decode(),
    }
    return found


def configure(cluster: Cluster, port: int, authority: bytes) -> None:
    path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
    status, message = cluster.create(path, configuration(port, authority))
    assert status == 201, message
    # The API server learns of a configuration a moment later.
    for _ in range(100):
        status, message = cluster.create(PODS, named(pod("registry.example/x:1"), "probe"))
        if status == 403:
            return
        cluster.ask("DELETE", f"{PODS}/probe?gracePeriodSeconds=0")
    raise AssertionError(message)


def named(value: dict[str, Any], name: str) -> dict[str, Any]:
    value["metadata"]["name"] = name
    return value


@pytest.fixture(scope="module")
def images(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = {
        "good": shop.reference("clean", "cluster/good"),
        "bad": shop.reference("setuid", "cluster/bad"),
        "unjudged": shop.reference("clean", "cluster/unjudged"),
    }
    for name in ("good", "bad"):
        gate.check(found[name], shop.installed.options(tmp_path_factory.mktemp(name)))
    return found


def test_one_pod_starts_and_the_others_are_refused_each_for_its_reason(
    cluster: Cluster, images: dict[str, str]
) -> None:
    assert cluster.create(PODS, named(pod(images["good"]), "good"))[0] == 201
    wrong = {
        "ATT_VERDICT_FAIL": images["bad"],
        "ATT_MISSING": images["unjudged"],
        "REF_NOT_DIGEST": images["good"].partition("@")[0] + ":latest",
        "REF_REGISTRY": "registry.example/x@sha256:" + "0" * 64,
    }
    for code, image in wrong.items():
        status, message = cluster.create(PODS, named(pod(image), "wrong"))
        assert status == 403
        assert 'admission webhook "images.gate.example" denied the request: gate: ' in message
        assert code in message


def test_k01_a_debug_container_is_judged_by_the_subresource_too(cluster: Cluster, images: dict[str, str]) -> None:
    assert cluster.create(PODS, named(pod(images["good"]), "debugged"))[0] == 201
    path = f"{PODS}/debugged/ephemeralcontainers"
    for image, status in ((images["bad"], 403), (images["good"], 200)):
        patch = {"spec": {"ephemeralContainers": [{"name": "debug", "image": image}]}}
        answer, found = cluster.ask("PATCH", path, patch, "application/strategic-merge-patch+json")
        assert answer == status, found


def test_k03_an_image_that_changes_is_judged_and_a_label_is_not(cluster: Cluster, images: dict[str, str]) -> None:
    assert cluster.create(PODS, named(pod(images["good"]), "changed"))[0] == 201
    merge = "application/strategic-merge-patch+json"
    bad = {"spec": {"containers": [{"name": "c0", "image": images["bad"]}]}}
    assert cluster.ask("PATCH", f"{PODS}/changed", bad, merge)[0] == 403
    label = {"metadata": {"labels": {"a": "b"}}}
    assert cluster.ask("PATCH", f"{PODS}/changed", label, merge)[0] == 200


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"])
def test_k04_workloads_are_refused_where_they_are_written(cluster: Cluster, images: dict[str, str], kind: str) -> None:
    for name, status in (("good", 201), ("bad", 403)):
        labels = {"app": f"{kind.lower()}-{name}"}
        spec = {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod(images[name])["spec"]},
        }
        value = {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": f"{kind.lower()}-{name}"}, "spec": spec}
        assert cluster.create(f"/apis/apps/v1/namespaces/shop/{kind.lower()}s", value)[0] == status


def test_k04_jobs_and_cron_jobs_are_refused_where_they_are_written(cluster: Cluster, images: dict[str, str]) -> None:
    for name, status in (("good", 201), ("bad", 403)):
        template = {"spec": {**pod(images[name])["spec"], "restartPolicy": "Never"}}
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": f"job-{name}"},
            "spec": {"template": template},
        }
        cron = {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": f"cron-{name}"},
            "spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": {"template": template}}},
        }
        assert cluster.create("/apis/batch/v1/namespaces/shop/jobs", job)[0] == status
        assert cluster.create("/apis/batch/v1/namespaces/shop/cronjobs", cron)[0] == status


def test_k02_an_image_volume_is_judged(cluster: Cluster, images: dict[str, str]) -> None:
    for name, status in (("good", 201), ("bad", 403)):
        volume = [{"name": "data", "image": {"reference": images[name], "pullPolicy": "IfNotPresent"}}]
        assert cluster.create(PODS, named(pod(images["good"], volumes=volume), f"volume-{name}"))[0] == status


def test_a_dry_run_is_answered_alike(cluster: Cluster, images: dict[str, str]) -> None:
    assert cluster.create(f"{PODS}?dryRun=All", named(pod(images["bad"]), "dry"))[0] == 403
    assert cluster.create(f"{PODS}?dryRun=All", named(pod(images["good"]), "dry"))[0] == 201


def test_k08_no_label_of_a_namespace_exempts(cluster: Cluster, images: dict[str, str]) -> None:
    labels = {"gate.example/exempt": "true", "kubernetes.io/metadata.name": "gate-system"}
    cluster.ask("POST", "/api/v1/namespaces", {"metadata": {"name": "forged", "labels": labels}})
    for name, status in (("good", 201), ("bad", 403)):
        value = named(pod(images[name]), name)
        value["metadata"]["namespace"] = "forged"
        assert cluster.create("/api/v1/namespaces/forged/pods", value)[0] == status


def test_a_pod_can_be_deleted_whatever_its_verdict_says(cluster: Cluster, images: dict[str, str]) -> None:
    assert cluster.create(PODS, named(pod(images["good"]), "ending"))[0] == 201
    assert cluster.ask("DELETE", f"{PODS}/ending?gracePeriodSeconds=0")[0] == 200


def test_k09_a_webhook_that_is_down_lets_nothing_in(
    tools: Tools, webhook: RunningService, tmp_path: Path, images: dict[str, str]
) -> None:
    from tests.support.registries import free_port  # noqa: PLC0415 - a port on which nobody listens

    with run_cluster(tools, tmp_path / "cluster") as alone:
        assert webhook.authority is not None
        path = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        assert alone.create(path, configuration(free_port(), webhook.authority.read_bytes()))[0] == 201
        status, message = 201, ""
        for _ in range(100):
            status, message = alone.create(PODS, named(pod(images["good"]), "down"))
            if status != 201:
                break
            alone.ask("DELETE", f"{PODS}/down?gracePeriodSeconds=0")
    assert status == 500
    assert "failed calling webhook" in message


def test_the_manifests_that_ship_are_accepted(cluster: Cluster) -> None:
    kinds = {
        "Namespace": "/api/v1/namespaces",
        "Deployment": "/apis/apps/v1/namespaces/gate-system/deployments",
        "Service": "/api/v1/namespaces/gate-system/services",
        "PodDisruptionBudget": "/apis/policy/v1/namespaces/gate-system/poddisruptionbudgets",
        "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/gate-system/networkpolicies",
    }
    documents = list(yaml.safe_load_all((ROOT / "deploy" / "manifests" / "gate.yaml").read_text()))
    assert {document["kind"] for document in documents} == set(kinds)
    for document in documents:
        status, message = cluster.create(f"{kinds[document['kind']]}?fieldValidation=Strict", document)
        assert status == 201, message
