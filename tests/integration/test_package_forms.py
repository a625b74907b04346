"""The table of forms against both real scanners: what each lists in an image that holds every form once."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Final

import pytest

from gate.findings.unread import unread_forms
from gate.model.finding import Tool
from gate.model.layer_facts import FormSeen
from gate.model.package_forms import FORMS, UNNAMED_JAR
from gate.model.policy import CoveragePolicy
from tests.support.evidence import layer_facts
from tests.support.scan_bench import Bench
from tests.support.scanners import debian_files, log4j, write_image
from tests.support.signing import NOW
from tools.images.archive import file

pytestmark = [pytest.mark.real_tools, pytest.mark.slow]

DEPS: Final = {
    "runtimeTarget": {"name": ".NETCoreApp,Version=v8.0"},
    "targets": {".NETCoreApp,Version=v8.0": {"Form.Deps/9.0.1": {"runtime": {"lib/Form.Deps.dll": {}}}}},
    "libraries": {"Form.Deps/9.0.1": {"type": "package", "serviceable": True, "sha512": "sha512-x", "path": "x"}},
}
LOCK: Final = {
    "version": 1,
    "dependencies": {"net8.0": {"Form.Lock": {"type": "Direct", "resolved": "9.0.2", "contentHash": "x"}}},
}
METADATA: Final = "Metadata-Version: 2.1\nName: form-wheel\nVersion: 1.2.3\n\n"
GEMS: Final = "GEM\n  remote: https://rubygems.org/\n  specs:\n    form-locked-gem (1.2.3)\n"
DART: Final = 'packages:\n  form_dart:\n    dependency: "direct main"\n    source: hosted\n    version: "1.2.3"\n'
PIN: Final = {"identity": "form-swift", "location": "https://x/form-swift.git", "state": {"version": "1.2.3"}}
COMPOSER: Final = {"packages": [{"name": "form/installed", "version": "1.2.3"}], "packages-dev": []}


def plugin() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(
            "META-INF/MANIFEST.MF", "Manifest-Version: 1.0\nShort-Name: form-plugin\nPlugin-Version: 1.2.3\n\n"
        )
        archive.writestr(
            "META-INF/maven/org.form/form-plugin/pom.properties",
            "groupId=org.form\nartifactId=form-plugin\nversion=1.2.3\n",
        )
    return buffer.getvalue()


# Form -> path, content, and the name under which a scanner that reads the form lists its package.
SAMPLES: Final[dict[str, tuple[str, str | bytes, str]]] = {
    "wheel": ("srv/form_wheel-1.2.3.dist-info/METADATA", METADATA, "form-wheel"),
    "npm": ("srv/node_modules/form-npm/package.json", '{"name": "form-npm", "version": "1.2.3"}', "form-npm"),
    "gem": (
        "usr/lib/ruby/gems/3.0.0/specifications/form-gem-1.2.3.gemspec",
        ('Gem::Specification.new do |s|\n  s.name = "form-gem"\n  s.version = "1.2.3"\n'
        '  s.authors = ["x"]\n  s.licenses = ["MIT"]\n  s.files = ["a"]\nend\n'),
        "form-gem",
    ),
    "jar": ("srv/form.jar", log4j(), "log4j-core"),
    "composer-installed": ("srv/vendor/composer/installed.json", json.dumps(COMPOSER), "installed"),
    "dotnet-deps": ("srv/app.deps.json", json.dumps(DEPS), "form.deps"),
    "nuget-lock": ("srv/packages.lock.json", json.dumps(LOCK), "form.lock"),
    "cargo-lock": (
        "srv/Cargo.lock",
        ('version = 3\n\n[[package]]\nname = "form-crate"\nversion = "1.2.3"\n'
        'source = "registry+https://github.com/rust-lang/crates.io-index"\nchecksum = "00"\n'),
        "form-crate",
    ),
    "nuget-config": (
        "srv/packages.config",
        '<?xml version="1.0"?><packages><package id="Form.Config" version="1.2.3" targetFramework="net8"/></packages>',
        "form.config",
    ),
    "java-plugin": ("srv/form.hpi", plugin(), "form-plugin"),
    "lua": ("usr/lib/luarocks/form-lua-1.2.3-1.rockspec", 'package = "form-lua"\nversion = "1.2.3-1"\n', "form-lua"),
    "r": ("usr/lib/R/library/formr/DESCRIPTION", "Package: formr\nVersion: 1.2.3\nTitle: x\n", "formr"),
    "conda": ("opt/conda/conda-meta/form-conda-1.2.3-0.json", '{"name": "form-conda", "version": "1.2.3"}', "form-conda"),
    "npm-lock": (
        "srv/locked/package-lock.json",
        '{"name": "x", "lockfileVersion": 3, "packages": {"node_modules/form-locked": {"version": "1.2.3"}}}',
        "form-locked",
    ),
    "python-lock": ("srv/poetry.lock", '[[package]]\nname = "form-poetry"\nversion = "1.2.3"\n', "form-poetry"),
    "gem-lock": ("srv/Gemfile.lock", GEMS, "form-locked-gem"),
    "composer-lock": ("srv/composer.lock", '{"packages": [{"name": "form/locked", "version": "1.2.3"}]}', "locked"),
    "java-exploded": (
        "srv/x/META-INF/maven/org.form/form-exploded/pom.properties",
        "groupId=org.form\nartifactId=form-exploded\nversion=1.2.3\n",
        "form-exploded",
    ),
    "elixir": ("srv/mix.lock", '%{\n  "form_mix": {:hex, :form_mix, "1.2.3", "00", [:mix], [], "hexpm", "00"},\n}\n', "form_mix"),
    "dart": ("srv/pubspec.lock", DART, "form_dart"),
    "swift": (
        "srv/Package.resolved",
        json.dumps({"pins": [PIN], "version": 2}),
        "form-swift",
    ),
}  # fmt: skip


def test_z08_each_scanner_lists_exactly_the_forms_that_the_table_says(bench: Bench, tmp_path: Path) -> None:
    entries = [*debian_files(), *(file(path, content) for path, content, _ in SAMPLES.values())]
    target = write_image(tmp_path / "image", entries)
    for tool in (Tool.TRIVY, Tool.GRYPE):
        listed = {package.key.name.lower() for package in bench.scan(tool.value, target=target).packages}
        seen = {form for form, (_, _, name) in SAMPLES.items() if any(name in one for one in listed)}
        assert seen == {form for form in SAMPLES if tool in FORMS[form].looked_up_by}, tool


def test_an_archive_of_classes_without_coordinates_is_named_by_the_scanner_that_guesses(
    bench: Bench, tmp_path: Path
) -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
        archive.writestr("com/form/Main.class", b"\xca\xfe\xba\xbe")
    # Trivy knows archives by their coordinates or their digest, Grype also by their file name.
    target = write_image(tmp_path / "image", [*debian_files(), file("srv/form-anonymous-1.2.3.jar", buffer.getvalue())])
    reports = {tool: bench.scan(tool.value, target=target) for tool in (Tool.TRIVY, Tool.GRYPE)}
    facts = replace(layer_facts(), package_forms=(FormSeen(form=UNNAMED_JAR, path="srv/form-anonymous-1.2.3.jar"),))
    for asked, unread in (({Tool.TRIVY}, 1), ({Tool.GRYPE}, 0), ({Tool.TRIVY, Tool.GRYPE}, 0)):
        brought = {tool: report for tool, report in reports.items() if tool in asked}
        assert len(unread_forms(facts, brought, CoveragePolicy(), NOW)) == unread, asked
