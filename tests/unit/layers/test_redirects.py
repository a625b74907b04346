"""Files that lead Trivy elsewhere are named with what they do; the honest ones of every base are not."""

from __future__ import annotations

import json

import pytest

from tests.support.layers import facts_of
from tools.images.archive import Entry, file, tar, whiteout

ALPINE = [file("etc/os-release", "ID=alpine\nVERSION_ID=3.22.1\n"), file("etc/alpine-release", "3.22.1\n")]
UBUNTU = [file("etc/os-release", 'ID=ubuntu\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n')]
RHEL = [file("etc/os-release", 'ID="rhel"\nVERSION_ID="9.4"\n')]
JAR = "app/node_modules/lodash/package.json"
LODASH = file(JAR, '{"name": "lodash", "version": "4.17.11"}')
STATUS = file("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n")
RHEL7 = [file("etc/os-release", 'ID="rhel"\nVERSION_ID="7.9"\n')]
MANIFEST = "root/buildinfo/content_manifests/a.json"
BASE_OS, APP = (f"rhel-9-for-x86_64-{name}-rpms" for name in ("baseos", "appstream"))
PRO = "var/lib/ubuntu-advantage/status.json"
MIRROR = "https://mirror.example/alpine"


@pytest.mark.parametrize(
    ("base", "path", "content", "what"),
    [
        (ALPINE, "etc/apk/repositories", f"{MIRROR}/v3.99/main\n", "Alpine 3.99"),
        (ALPINE, "etc/apk/repositories", f"{MIRROR}/v3.22/main\n{MIRROR}/edge/testing\n", "Alpine edge"),
        (UBUNTU, PRO, '{"services": [{"name": "esm-infra", "status": "enabled"}]}', "extended"),
        (RHEL, "root/buildinfo/content_manifests/a.json", '{"content_sets": ["openstack-16-for-rhel-8"]}', "another product"),
        (RHEL, "usr/share/buildinfo/a.json", '{"content_sets": ["rhel-8-for-x86_64-baseos-rpms"]}', "another product"),
        # One word of the right ones among those of another product.
        (RHEL, MANIFEST, '{"content_sets": ["fake-9-baseos", "openstack-16-for-rhel-9-x86_64-rpms"]}', "another product"),
        # What is in the one repository is asked about, what is in the other is not.
        (RHEL, MANIFEST, '{"content_sets": ["rhel-9-for-x86_64-baseos-rpms"]}', "another product"),
        (RHEL, MANIFEST, json.dumps({"content_sets": [BASE_OS, APP]}).replace("-9-", "-8-"), "another product"),
        (RHEL, "root/buildinfo/Dockerfile-openstack-16.1-3", "FROM scratch\n", "another product"),
        ([LODASH], "opt/a.cdx.json", json.dumps({"components": [{"name": JAR}]}), JAR),
        ([LODASH], "opt/a.cdx.json", '{"a": "/app/node_modules/lodash\\u002fpackage.json"}', JAR),
        ([STATUS], "opt/a.spdx.json", json.dumps({"files": [{"fileName": "./var/lib/dpkg/status"}]}), "var/lib/dpkg/status"),
        ([STATUS], "opt/a.spdx", "FileName: /var/lib/dpkg/status\n", "var/lib/dpkg/status"),
    ],
)  # fmt: skip
def test_z05_a_file_that_leads_trivy_elsewhere_is_named(base: list, path: str, content: str, what: str) -> None:  # type: ignore[type-arg]
    (redirect,) = facts_of(tar([*base, file(path, content)])).redirects
    assert redirect.path == path
    assert what in redirect.what


@pytest.mark.parametrize(
    ("base", "path", "content"),
    [
        (ALPINE, "etc/apk/repositories", f"{MIRROR}/v3.22/main\n{MIRROR}/v3.22/community\n#{MIRROR}/edge/main\n"),
        (UBUNTU, PRO, '{"services": [{"name": "esm-infra", "status": "n/a"}]}'),
        (RHEL, MANIFEST, json.dumps({"content_sets": [BASE_OS, APP, "rhocp-4.12-for-rhel-9-x86_64-rpms"]})),
        (RHEL, MANIFEST, json.dumps({"content_sets": [f"{BASE_OS}__9", APP.replace("x86_64", "aarch64")]})),
        (RHEL7, MANIFEST, '{"content_sets": ["rhel-7-server-rpms"]}'),
        ([LODASH], "opt/a.cdx.json", '{"components": [{"name": "lodash"}]}'),
        ([STATUS], "opt/a.spdx", "PackageName: a\nPackageVersion: 1\n"),
    ],
)
def test_an_honest_file_redirects_nothing(base: list, path: str, content: str) -> None:  # type: ignore[type-arg]
    assert facts_of(tar([*base, file(path, content)])).redirects == ()


LED = [
    (ALPINE, "etc/apk/repositories", f"{MIRROR}/v3.99/main\n"),
    (UBUNTU, PRO, '{"services": [{"name": "esm-infra", "status": "enabled"}]}'),
    (RHEL, MANIFEST, '{"content_sets": ["openstack-16-for-rhel-8"]}'),
    ([LODASH], "opt/a.cdx.json", json.dumps({"components": [{"name": JAR}]})),
]


@pytest.mark.parametrize(("base", "path", "content"), LED)
def test_z05_a_file_that_a_later_layer_deletes_has_led_trivy_all_the_same(
    base: list[Entry], path: str, content: str
) -> None:
    facts = facts_of(tar([*base, file(path, content)]), tar([whiteout(path)]))
    assert [redirect.path for redirect in facts.redirects] == [path]


def test_the_last_layers_list_of_repositories_is_the_one_that_trivy_takes() -> None:
    old, new = (tar([file("etc/apk/repositories", f"{MIRROR}/v{release}/main\n")]) for release in ("3.21", "3.22"))
    assert facts_of(tar(ALPINE), old, new).redirects == ()
    assert [redirect.path for redirect in facts_of(tar(ALPINE), new, old).redirects] == ["etc/apk/repositories"]


def test_each_layer_of_red_hats_builds_names_the_release_itself() -> None:
    honest, other = (
        tar([file(MANIFEST, json.dumps({"content_sets": sets}))])
        for sets in ([BASE_OS, APP], ["openstack-16-for-rhel-9"])
    )
    assert facts_of(tar(RHEL), honest).redirects == ()
    assert len(facts_of(tar(RHEL), other, honest).redirects) == 1
    dockerfile = file("root/buildinfo/Dockerfile-ubi9-9.4-1", "LABEL com.redhat.component=ubi9-container\n")
    both = tar([dockerfile, file(MANIFEST, json.dumps({"content_sets": [BASE_OS, APP]}))])
    assert facts_of(tar(RHEL), both).redirects == ()
