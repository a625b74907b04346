"""The admission service while things change: outages, modes, exemptions, kinds of others, new documents."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import gate
from tests.integration.conftest import Shop
from tests.support.admission import codes, pod, requirement, review, run_service
from tests.support.programs import Tools
from tests.support.registries import free_port, run_olareg

pytestmark = pytest.mark.real_tools


def test_k09_a_registry_that_hangs_is_a_refusal_before_the_api_server_stops_waiting(shop: Shop, tmp_path: Path) -> None:
    import socket  # noqa: PLC0415 - a port that accepts and says nothing

    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        host = f"127.0.0.1:{mute.getsockname()[1]}"
        document = tmp_path / "requirement.yaml"
        document.write_text(requirement(shop.installed, f"{host}/**"))
        with run_service(tmp_path / "service", [document], "--deadline", "1s") as service:
            began = time.monotonic()
            response = service.judge(f"{host}/shop/web@sha256:{'0' * 64}")
            assert time.monotonic() - began < 3
    assert response["allowed"] is False
    assert codes(response) in {"ADM_TIMEOUT", "REG_TIMEOUT"}


def test_k09_an_outage_leaves_what_was_right_and_lets_nothing_new_in(shop: Shop, tools: Tools, tmp_path: Path) -> None:
    port = free_port()
    document = tmp_path / "requirement.yaml"
    document.write_text(requirement(shop.installed, f"127.0.0.1:{port}/**"))
    with run_service(tmp_path / "service", [document]) as service:
        with run_olareg(tools.olareg, tmp_path / "registry", port=port) as registry:
            known = shop.installed.push("clean", registry.host, repository="outage/known")
            other = shop.installed.push("clean", registry.host, repository="outage/other")
            for reference in (known, other):
                gate.check(reference, shop.installed.options(tmp_path / "own"))
            assert service.judge(known)["allowed"] is True
        assert service.judge(known)["allowed"] is True
        away = service.judge(other)
        assert away["allowed"] is False
        assert codes(away).startswith("REG_")
        with run_olareg(tools.olareg, tmp_path / "registry", port=port):
            assert service.judge(other)["allowed"] is True


def test_a_mode_lets_in_with_a_warning_or_only_writes_it_down(shop: Shop, bad: str, tmp_path: Path) -> None:
    for mode in ("warn", "audit"):
        document = tmp_path / f"{mode}.yaml"
        document.write_text(requirement(shop.installed, f"{shop.registry.host}/**", mode=mode))
        with run_service(tmp_path / mode, [document]) as service:
            response = service.judge(bad)
        assert response["allowed"] is True
        assert codes(response) == "ATT_VERDICT_FAIL"
        assert ("warnings" in response) is (mode == "warn")
        assert all(len(line) <= 256 for line in response.get("warnings", ()))


def test_k08_k15_only_a_named_exemption_exempts_and_only_its_namespace(shop: Shop, bad: str, tmp_path: Path) -> None:
    def cluster(namespace: str, ends: str) -> str:
        images = f"{shop.registry.host}/admission/*"
        return f"{{exempt: [{{namespace: {namespace}, images: '{images}', reason: old, owner: web-team, expires: {ends}}}]}}"

    for name, text, allowed in (
        ("this", cluster("shop", "'2099-12-31'"), True),
        ("other", cluster("other", "'2099-12-31'"), False),
        ("ended", cluster("shop", "'2020-12-31'"), False),
    ):
        document = tmp_path / f"{name}.yaml"
        document.write_text(requirement(shop.installed, f"{shop.registry.host}/**", cluster=text))
        with run_service(tmp_path / name, [document]) as service:
            response = service.judge(bad)
        assert response["allowed"] is allowed, name
        assert ("web-team until 2099-12-31: old" in response["auditAnnotations"].get("exempt", "")) is allowed


def test_kinds_of_others_are_judged_where_a_requirement_names_them(
    shop: Shop, good: str, bad: str, tmp_path: Path
) -> None:
    resources = (
        "{customResources: [{apiVersion: argoproj.io/v1alpha1, kind: Rollout, paths: [spec.template.spec]},"
        " {apiVersion: tekton.dev/v1, kind: Task, paths: ['spec.steps[].image', 'spec.sidecars[].image']}]}"
    )
    document = tmp_path / "requirement.yaml"
    document.write_text(requirement(shop.installed, f"{shop.registry.host}/**", cluster=resources))
    with run_service(tmp_path / "service", [document]) as service:
        for image, allowed in ((good, True), (bad, False)):
            rollout = {"spec": {"template": {"spec": pod(image)["spec"]}}}
            task = {"spec": {"steps": [{"image": good}, {"image": image}]}}
            argo = {"group": "argoproj.io", "version": "v1alpha1", "kind": "Rollout"}
            tekton = {"group": "tekton.dev", "version": "v1", "kind": "Task"}
            assert service.answer(review(rollout, kind=argo))["allowed"] is allowed
            assert service.answer(review(task, kind=tekton))["allowed"] is allowed


def test_every_document_that_matches_must_be_met(shop: Shop, good: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(requirement(shop.installed, f"{shop.registry.host}/**"))
    second.write_text(
        requirement(shop.installed, f"{shop.registry.host}/admission/**").replace("production", "staging-only")
    )
    with run_service(tmp_path / "one", [first]) as service:
        assert service.judge(good)["allowed"] is True
    with run_service(tmp_path / "two", [first, second]) as service:
        assert codes(service.judge(good)) == "ATT_ENVIRONMENT"


def test_a_new_requirement_counts_whole_or_not_at_all(shop: Shop, good: str, tmp_path: Path) -> None:
    document = tmp_path / "requirement.yaml"
    right = requirement(shop.installed, f"{shop.registry.host}/**")
    document.write_text(right)
    with run_service(tmp_path / "service", [document]) as service:
        assert service.judge(good)["allowed"] is True
        swap(document, "kind: Nonsense\n")
        wait(lambda: service.ask(b"", "/readyz", "GET")[0] == 503)
        assert b"POL_" in service.ask(b"", "/readyz", "GET")[1]
        assert service.judge(good)["allowed"] is True
        swap(document, right.replace("environment: production", "environment: nowhere"))
        wait(lambda: service.ask(b"", "/readyz", "GET")[0] == 200)
        assert codes(service.judge(good)) == "ATT_ENVIRONMENT"


def swap(path: Path, text: str) -> None:
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def wait(condition: Any) -> None:  # noqa: ANN401 - a callable without arguments
    for _ in range(100):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")
