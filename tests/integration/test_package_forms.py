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
from gate.scanners.canary_programs import go_program, rust_program
from tests.support.evidence import layer_facts
from tests.support.scan_bench import Bench
from tests.support.scanners import debian_files, log4j, write_image
from tests.support.signing import NOW
from tools.images.archive import directory, file

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


CONAN: Final = (
    "[settings]\n    os=Linux\n\n[requires]\n\n[options]\n\n[full_settings]\n    os=Linux\n\n[full_requires]\n\n"
    "[full_options]\n\n[recipe_hash]\n    0\n\n[env]\n"
)


def wheel() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("form_zip-1.2.3.dist-info/METADATA", METADATA.replace("form-wheel", "form-zip"))
    return buffer.getvalue()


WHEEL: Final = wheel()
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
    "go-binary": ("srv/bin/go", go_program([("form.example/x/go", "v1.2.3")]), "form.example/x/go"),
    "rust-audit": ("srv/bin/rust", rust_program([("form-audited", "1.2.3")]), "form-audited"),
    "julia": (
        "srv/Manifest.toml",
        ('julia_version = "1.10.0"\nmanifest_format = "2.0"\n\n[[deps.FormJulia]]\n'
         'uuid = "7876af07-990d-54b4-ab0e-23690620f79a"\nversion = "1.2.3"\n'),
        "formjulia",
    ),
    "conan": ("srv/.conan/form-conan/1.2.3/_/_/package/0/conaninfo.txt", CONAN, "form-conan"),
    "pear": (
        "usr/share/php/.registry/form_pear.reg",
        ('a:3:{s:4:"name";s:9:"form_pear";s:7:"channel";s:12:"pear.php.net";'
         's:7:"version";a:1:{s:7:"release";s:5:"1.2.3";}}'),
        "form_pear",
    ),
    "nix": ("nix/store/0c0v4dpz2hxbqf9a1vj8wr0lkm3n5s7y-form-nix-1.2.3/bin/x", "x", "form-nix"),
    "homebrew": (
        "home/linuxbrew/.linuxbrew/Cellar/form-brew/1.2.3/.brew/form-brew.rb",
        'class FormBrew < Formula\n  desc "x"\n  homepage "https://x"\nend\n',
        "form-brew",
    ),
    "portage": ("var/db/pkg/app-misc/form-portage-1.2.3/CONTENTS", "dir /usr\n", "form-portage"),
    "wordpress": (
        "srv/wp-content/plugins/form-wp/form-wp.php",
        "<?php\n/*\n * Plugin Name: form-wp\n * Version: 1.2.3\n * Author: x\n */\n",
        "form-wp",
    ),
    "erlang": (
        "srv/lib/form_erlang-1.2.3/ebin/form_erlang.app",
        '{application, form_erlang, [{vsn, "1.2.3"}, {modules, []}]}.\n',
        "form_erlang",
    ),
    "haskell": (
        "srv/stack.yaml.lock",
        "packages:\n- completed:\n    hackage: form-haskell-1.2.3@sha256:00,1\n  original:\n    hackage: form-haskell-1.2.3\n",
        "form-haskell",
    ),
    "ocaml": ("srv/form-ocaml.opam", 'opam-version: "2.0"\nname: "form-ocaml"\nversion: "1.2.3"\n', "form-ocaml"),
    "perl": ("usr/local/lib/perl5/auto/Form/Perl/.packlist", "/usr/local/lib/perl5/Form/Perl.pm\n", "form/perl"),
    "yarn-pnp": (".pnp.cjs", '{"packageRegistryData": [["form-pnp", [["npm:1.2.3", {}]]]]}', "form-pnp"),
    "pnpm-store": ("srv/store/v10/index/ab/form-pnpm@1.2.3.json", '{"name": "form-pnpm", "version": "1.2.3"}', "form-pnpm"),
    "python-zip": ("srv/form_zip-1.2.3-py3-none-any.whl", WHEEL, "form-zip"),
    "gem-archive": ("srv/form-gem-archive-1.2.3.gem", b"x" * 512, "form-gem-archive"),
    "phar": ("srv/form-phar.phar", "<?php __HALT_COMPILER(); ?>form-phar", "form-phar"),
    "guix": ("gnu/store/0c0v4dpz2hxbqf9a1vj8wr0lkm3n5s7y-form-guix-1.2.3/bin/x", "x", "form-guix"),
    "wasm": ("srv/form-wasm.wasm", b"\0asm\1\0\0\0", "form-wasm"),
    "swift": (
        "srv/Package.resolved",
        json.dumps({"pins": [PIN], "version": 2}),
        "form-swift",
    ),
}  # fmt: skip


def test_z08_each_scanner_lists_exactly_the_forms_that_the_table_says(bench: Bench, tmp_path: Path) -> None:
    project = file("srv/Project.toml", '[deps]\nFormJulia = "7876af07-990d-54b4-ab0e-23690620f79a"\n')
    # Syft finds the store by its folders.
    store = [directory("nix"), directory("nix/store"), directory(SAMPLES["nix"][0].rpartition("/bin/")[0])]
    entries = [
        *debian_files(),
        project,
        *store,
        *(file(path, content, mode=0o755) for path, content, _ in SAMPLES.values()),
    ]
    target = write_image(tmp_path / "image", entries)
    for tool in (Tool.TRIVY, Tool.GRYPE):
        keys = [package.key for package in bench.scan(tool.value, target=target).packages]
        listed = {f"{key.namespace}/{key.name}".lower() for key in keys}
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


def test_a_list_of_julias_packages_without_its_project_is_looked_up_by_nobody(bench: Bench, tmp_path: Path) -> None:
    path, content, _ = SAMPLES["julia"]
    project = file("srv/Project.toml", '[deps]\nFormJulia = "7876af07-990d-54b4-ab0e-23690620f79a"\n')
    facts = replace(layer_facts(), package_forms=(FormSeen(form="julia", path=path),))
    for name, more, unread in (("alone", [], 1), ("beside", [project], 0)):
        target = write_image(tmp_path / name, [*debian_files(), file(path, content), *more])
        brought = {tool: bench.scan(tool.value, target=target) for tool in (Tool.TRIVY, Tool.GRYPE)}
        assert len(unread_forms(facts, brought, CoveragePolicy(), NOW)) == unread, name


def test_a_store_of_nix_whose_folders_a_layer_leaves_out_is_looked_up_by_nobody(bench: Bench, tmp_path: Path) -> None:
    path, content, _ = SAMPLES["nix"]
    folders = [directory("nix"), directory("nix/store"), directory(path.rpartition("/bin/")[0])]
    facts = replace(layer_facts(), package_forms=(FormSeen(form="nix", path="nix/store"),))
    for name, more, unread in (("alone", [], 1), ("with folders", folders, 0)):
        target = write_image(tmp_path / name, [*debian_files(), *more, file(path, content)])
        brought = {tool: bench.scan(tool.value, target=target) for tool in (Tool.TRIVY, Tool.GRYPE)}
        assert len(unread_forms(facts, brought, CoveragePolicy(), NOW)) == unread, name
