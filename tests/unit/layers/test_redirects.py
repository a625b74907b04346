"""Files that lead Trivy elsewhere are named with what they do; the honest ones of every base are not."""

from __future__ import annotations

import json

import pytest

from tests.support.layers import facts_of
from tools.images.archive import file, tar

ALPINE = [file("etc/os-release", "ID=alpine\nVERSION_ID=3.22.1\n"), file("etc/alpine-release", "3.22.1\n")]
UBUNTU = [file("etc/os-release", 'ID=ubuntu\nVERSION_ID="22.04"\nVERSION_CODENAME=jammy\n')]
RHEL = [file("etc/os-release", 'ID="rhel"\nVERSION_ID="9.4"\n')]
JAR = "app/node_modules/lodash/package.json"
LODASH = file(JAR, '{"name": "lodash", "version": "4.17.11"}')
STATUS = file("var/lib/dpkg/status", "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n")
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
        ([LODASH], "opt/a.cdx.json", json.dumps({"components": [{"name": JAR}]}), JAR),
        ([LODASH], "opt/a.cdx.json", '{"a": "/app/node_modules/lodash\\u002fpackage.json"}', JAR),
        ([STATUS], "opt/a.spdx.json", json.dumps({"files": [{"fileName": "./var/lib/dpkg/status"}]}), "var/lib/dpkg/status"),
        ([STATUS], "opt/a.spdx", "FileName: /var/lib/dpkg/status\n", "var/lib/dpkg/status"),
    ],
)  # fmt: skip
def test_a_file_that_leads_trivy_elsewhere_is_named(base: list, path: str, content: str, what: str) -> None:  # type: ignore[type-arg]
    (redirect,) = facts_of(tar([*base, file(path, content)])).redirects
    assert redirect.path == path
    assert what in redirect.what


@pytest.mark.parametrize(
    ("base", "path", "content"),
    [
        (ALPINE, "etc/apk/repositories", f"{MIRROR}/v3.22/main\n{MIRROR}/v3.22/community\n#{MIRROR}/edge/main\n"),
        (UBUNTU, PRO, '{"services": [{"name": "esm-infra", "status": "n/a"}]}'),
        (RHEL, "root/buildinfo/content_manifests/ubi9.json", '{"content_sets": ["rhel-9-for-x86_64-baseos-rpms"]}'),
        ([LODASH], "opt/a.cdx.json", '{"components": [{"name": "lodash"}]}'),
        ([STATUS], "opt/a.spdx", "PackageName: a\nPackageVersion: 1\n"),
    ],
)
def test_an_honest_file_redirects_nothing(base: list, path: str, content: str) -> None:  # type: ignore[type-arg]
    assert facts_of(tar([*base, file(path, content)])).redirects == ()
