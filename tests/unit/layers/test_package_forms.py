"""Every form of package is known where it stands, whatever its execute bit; look-alikes are not taken for one."""

from __future__ import annotations

import zipfile
from io import BytesIO

import pytest

from gate.model.package_forms import FORMS
from tests.support.layers import facts_of
from tools.images.archive import file, hardlink, tar, whiteout

ELF = b"\x7fELF" + b"\0" * 60
RUSTC = b"/rustc/" + b"a" * 40 + b"/library/std/src/panicking.rs"
BUNDLE = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
# One place for each form: path, content, and the place that a report names.
SAMPLES = (
    ("conda", "opt/conda/conda-meta/numpy-1.0-0.json", b"{}", "opt/conda/conda-meta"),
    ("yarn-pnp", "app/.pnp.cjs", b"", "app/.pnp.cjs"),
    ("yarn-pnp", "app/.yarn/cache/lodash-npm-4.17.11.zip", b"", "app/.yarn/cache"),
    ("pnpm-store", "pnpm/store/v10/index/ab/cd-lodash@4.17.11.json", b"{}", "pnpm/store/v10/index"),
    ("npm-lock", "app/package-lock.json", b"{}", "app/package-lock.json"),
    ("npm-lock", "app/yarn.lock", b"", "app/yarn.lock"),
    ("js-bundle", "srv/main.js", b"(()=>{var __webpack_require__={}})()", "srv/main.js"),
    ("js-executable", "app/program", ELF + b"x" * 99 + b"NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1", "app/program"),
    ("js-executable", "app/program", ELF + b"x" * 99 + b"\n---- Bun! ----\n", "app/program"),
    ("js-executable", "app/resources/app.asar", b"", "app/resources/app.asar"),
    ("python-zip", "app/tool.pex", b"", "app/tool.pex"),
    ("python-zip", "wheels/PyYAML-5.3.1-cp39-none-any.whl", b"", "wheels/PyYAML-5.3.1-cp39-none-any.whl"),
    ("python-zip", "app/run", b"#!/usr/bin/env python3\nPK\x03\x04rest", "app/run"),
    ("python-frozen", "app/run", ELF + b"y" * 300 + b"MEI\x0c\x0b\x0a\x0b\x0e" + b"z" * 80, "app/run"),
    ("python-lock", "app/poetry.lock", b"", "app/poetry.lock"),
    ("gem-lock", "app/Gemfile.lock", b"", "app/Gemfile.lock"),
    ("gem-archive", "app/rack-2.2.3.gem", b"", "app/rack-2.2.3.gem"),
    ("composer-lock", "app/composer.lock", b"{}", "app/composer.lock"),
    ("composer-installed", "app/vendor/composer/installed.json", b"{}", "app/vendor/composer/installed.json"),
    ("phar", "app/composer.phar", b"", "app/composer.phar"),
    ("rust-plain", "app/server", ELF + RUSTC, "app/server"),
    ("rust-audit", "app/server", ELF + RUSTC + b"\0.dep-v0\0", "app/server"),
    ("go-plain", "app/server", ELF + b' Go build ID: "abc"', "app/server"),
    ("go-binary", "app/server", ELF + b"\xff Go buildinf:\x08\x02", "app/server"),
    ("dotnet-bundle", "app/server", ELF + b"\x10\x20\0\0\0\0\0\0" + BUNDLE, "app/server"),
    ("nuget-lock", "app/packages.lock.json", b"{}", "app/packages.lock.json"),
    ("nuget-config", "app/packages.config", b"", "app/packages.config"),
    ("cargo-lock", "app/Cargo.lock", b"", "app/Cargo.lock"),
    ("julia", "app/Manifest.toml", b"", "app/Manifest.toml"),
    ("java-exploded", "app/META-INF/maven/org.x/y/pom.properties", b"", "app/META-INF/maven/org.x/y/pom.properties"),
    ("java-plugin", "app/git.hpi", b"", "app/git.hpi"),
    ("java-plugin", "app/a.kar", b"", "app/a.kar"),
    ("elixir", "app/mix.lock", b"", "app/mix.lock"),
    ("erlang", "app/lib/cowboy-2.9.0/ebin/cowboy.app", b"", "app/lib/cowboy-2.9.0/ebin/cowboy.app"),
    ("swift", "app/Package.resolved", b"{}", "app/Package.resolved"),
    ("dart", "app/pubspec.lock", b"", "app/pubspec.lock"),
    ("haskell", "app/stack.yaml.lock", b"", "app/stack.yaml.lock"),
    ("perl", "usr/local/lib/perl5/auto/JSON/XS/.packlist", b"", "usr/local/lib/perl5/auto/JSON/XS/.packlist"),
    ("ocaml", "app/lwt.opam", b"", "app/lwt.opam"),
    ("conan", "root/.conan/data/x/conaninfo.txt", b"", "root/.conan/data/x/conaninfo.txt"),
    ("pear", "usr/share/php/.registry/net_url.reg", b"", "usr/share/php/.registry"),
    ("lua", "usr/lib/luarocks/x-1.rockspec", b"", "usr/lib/luarocks/x-1.rockspec"),
    ("r", "usr/local/lib/R/site-library/rlang/DESCRIPTION", b"", "usr/local/lib/R/site-library/rlang/DESCRIPTION"),
    ("nix", "nix/store/00000000000000000000000000000000-hello-2.12/bin/hello", b"", "nix/store"),
    ("guix", "gnu/store/00000000000000000000000000000000-hello-2.12/bin/hello", b"", "gnu/store"),
    ("homebrew", "home/linuxbrew/.linuxbrew/Cellar/jq/1.6/bin/jq", b"", "home/linuxbrew/.linuxbrew/Cellar"),
    ("portage", "var/db/pkg/dev-libs/openssl-3/CONTENTS", b"", "var/db/pkg"),
    ("wordpress", "srv/wp-content/plugins/akismet/akismet.php", b"", "srv/wp-content/plugins/akismet"),
    ("snap", "var/lib/snapd/snaps/core.snap", b"", "var/lib/snapd/snaps/core.snap"),
    ("wasm", "app/plugin.wasm", b"", "app/plugin.wasm"),
    ("lazy-index", "stargz.index.json", b"{}", "stargz.index.json"),
    ("lazy-index", "image/image.boot", b"", "image/image.boot"),
    ("os-archive", "root/openssl_3.0_amd64.deb", b"", "root/openssl_3.0_amd64.deb"),
)  # fmt: skip
# Known by the gate's own list, or by what the scanners make of them, and not by a name alone.
ELSEWHERE = frozenset({"wheel", "npm", "gem", "jar", "dotnet-deps", "dotnet-deps-unread", "java-unidentified"})


@pytest.mark.parametrize("sample", SAMPLES, ids=[f"{form}-{path.rpartition('/')[2]}" for form, path, _, _ in SAMPLES])
def test_a_form_is_known_where_it_stands(sample: tuple[str, str, bytes, str]) -> None:
    form, path, content, place = sample
    for mode in (0o644, 0o755):
        facts = facts_of(tar([file(path, content, mode=mode)]))
        assert [(seen.form, seen.path, seen.owner) for seen in facts.package_forms] == [(form, place, "")]


def test_every_form_of_the_table_has_a_sample() -> None:
    assert {form for form, *_ in SAMPLES} == FORMS.keys() - ELSEWHERE


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("usr/lib/libfoo.so.1", ELF + RUSTC),
        ("app/node_modules/x/build/native.node", ELF + RUSTC),
        ("app/host", ELF + b"\0" * 8 + BUNDLE),
        ("app/bun", ELF + b"\n---- Bun! ----\n" + b"x" * 5000),
        ("app/node", ELF + b"NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:0" + b"x" * 100),
        ("app/run.sh", b"#!/bin/sh\necho PK\x03\x04"),
        ("app/notes.txt", RUSTC),
        ("app/main.js", b"console.log(1)"),
        ("app/node_modules/x/dist/main.js", b"var __webpack_require__"),
        ("app/node_modules/x/package-lock.json", b"{}"),
        ("usr/lib/python3.12/ensurepip/_bundled/pip-24.2-py3-none-any.whl", b""),
        ("usr/share/doc/DESCRIPTION", b""),
        ("app/config.json", b"{}"),
    ],
)
def test_what_is_part_of_a_listed_package_or_a_mere_look_alike_is_no_form(path: str, content: bytes) -> None:
    assert facts_of(tar([file(path, content, mode=0o755)])).package_forms == ()


def test_a_mark_is_found_across_the_pieces_of_a_large_file() -> None:
    content = ELF + b"x" * (3 << 20) + RUSTC + b"x" * (1 << 20)
    assert [seen.form for seen in facts_of(tar([file("app/server", content)])).package_forms] == ["rust-plain"]


def test_what_a_later_layer_replaces_or_links_counts_as_it_is_there() -> None:
    lower, upper = tar([file("app/server", ELF + RUSTC)]), tar([file("app/server", b"#!/bin/sh\n")])
    assert facts_of(lower, upper).package_forms == ()
    linked = facts_of(tar([file("app/a", ELF + RUSTC), hardlink("app/b", "app/a")]))
    assert [seen.path for seen in linked.package_forms] == ["app/a", "app/b"]


def test_lock_files_are_their_list_where_packages_are_installed() -> None:
    installed = file("app/node_modules/lodash/package.json", b'{"name": "lodash", "version": "4.17.21"}')
    assert facts_of(tar([file("app/package-lock.json", b"{}"), installed])).package_forms == ()


def test_places_over_the_bound_are_counted_and_cannot_be_accepted_by_path() -> None:
    facts = facts_of(tar([file(f"app/{number:04}.wasm", b"") for number in range(510)]))
    assert len(facts.package_forms) == 501
    assert [(seen.path, seen.count) for seen in facts.package_forms[-1:]] == [("", 10)]


def archive(*names: str) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        for name in names:
            made.writestr(name, b"x")
    return buffer.getvalue()


POM = "META-INF/maven/org.x/y/pom.properties"


@pytest.mark.parametrize(
    ("path", "content", "is_named"),
    [
        ("app/vendor.jar", archive("com/x/A.class"), True),
        ("app/vendor.war", archive("WEB-INF/classes/A.class"), True),
        ("app/sources.jar", archive("com/x/A.java", "META-INF/MANIFEST.MF"), False),
        ("app/text.jar", b"version https://git-lfs.github.com/spec/v1", False),
    ],
)
def test_an_archive_of_classes_without_coordinates_is_named(path: str, content: bytes, *, is_named: bool) -> None:
    forms = [(seen.form, seen.path) for seen in facts_of(tar([file(path, content)])).package_forms]
    assert forms == ([("java-unidentified", path)] if is_named else [])


def test_an_archive_that_names_itself_or_went_away_is_not() -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("A.class", b"x")
        made.writestr(POM, "groupId=org.x\nartifactId=y\nversion=1\n")
    named, anonymous = tar([file("a.jar", buffer.getvalue())]), tar([file("a.jar", archive("A.class"))])
    assert facts_of(named).package_forms == ()
    assert facts_of(anonymous, tar([whiteout("a.jar")])).package_forms == ()
    assert facts_of(anonymous, named).package_forms == ()
    assert [seen.form for seen in facts_of(named, anonymous).package_forms] == ["java-unidentified"]
