"""The forms in which packages stand in an image, and which scanner looks each of them up: one table for code and docs.

"Looks up" means that the scanner, in the mode and with the flags in which the gate runs it, lists the form's packages and asks
its database about them. Read in the pinned sources and reviewed with them: Trivy v0.72.0 `pkg/fanal/analyzer/const.go` (lock
files are off for images), `pkg/detector/library/driver.go`; Syft v1.46.0 `internal/task/package_tasks.go` (tags `image` and
`declared`); Grype v0.115.0 `grype/matcher`. Reviewed 2026-12-01. `docs/checks/coverage.md` holds the same table, and tests
compare both with what the real programs list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gate.model.finding import Tool

_BOTH: Final = frozenset({Tool.TRIVY, Tool.GRYPE})
_TRIVY: Final = frozenset({Tool.TRIVY})
_GRYPE: Final = frozenset({Tool.GRYPE})
_NONE: Final[frozenset[Tool]] = frozenset()


@dataclass(frozen=True, slots=True)
class PackageForm:
    """A form: what it is in words, who looks its packages up, and whether the gate's own list names them."""

    title: str
    looked_up_by: frozenset[Tool]
    listed: bool = False


UNNAMED_JAR: Final = "java-unidentified"
"""The form of an archive of Java classes that names no coordinates: a scanner may know it by its digest or its file name."""

FORMS: Final[Mapping[str, PackageForm]] = MappingProxyType(
    {
        # Looked up by both.
        "wheel": PackageForm(
            "installed Python packages (`*.dist-info/METADATA`, `*.egg-info/PKG-INFO`)", _BOTH, listed=True
        ),
        "npm": PackageForm("installed npm packages (`node_modules/NAME/package.json`)", _BOTH, listed=True),
        "gem": PackageForm("installed gems (`specifications/*.gemspec`)", _BOTH, listed=True),
        "jar": PackageForm("jars and wars, and jars in them", _BOTH, listed=True),
        "go-binary": PackageForm("Go programs with build information", _BOTH, listed=True),
        "rust-audit": PackageForm("Rust programs with an audit section", _BOTH),
        "composer-installed": PackageForm("installed Composer packages (`installed.json`)", _BOTH, listed=True),
        "dotnet-deps": PackageForm("`*.deps.json` of .NET", _BOTH, listed=True),
        "nuget-lock": PackageForm("`packages.lock.json` of .NET", _BOTH),
        # Looked up by one.
        "cargo-lock": PackageForm("`Cargo.lock`", _TRIVY),
        "julia": PackageForm("Julia's `Manifest.toml` with a `Project.toml` beside it", _TRIVY),
        "nuget-config": PackageForm("`packages.config` of .NET", _TRIVY),
        "java-plugin": PackageForm(
            "Java archives under other names (`.hpi`, `.jpi`, `.nar`, `.kar`, `.sar`, `.lpkg`)", _GRYPE
        ),
        "conan": PackageForm("Conan packages (`conaninfo.txt`)", _GRYPE),
        "pear": PackageForm("PEAR and PECL packages (`php/.registry/*.reg`)", _GRYPE),
        "lua": PackageForm("LuaRocks packages (`*.rockspec`)", _GRYPE),
        "r": PackageForm("R packages (`DESCRIPTION`)", _GRYPE),
        "nix": PackageForm("Nix store paths", _GRYPE),
        "homebrew": PackageForm("Homebrew formulae (`Cellar`)", _GRYPE),
        "portage": PackageForm("Gentoo packages (`var/db/pkg`)", _GRYPE),
        "wordpress": PackageForm("WordPress plugins (`wp-content/plugins`)", _GRYPE),
        # Looked up by none.
        "conda": PackageForm("conda packages (`conda-meta/*.json`)", _NONE),
        "yarn-pnp": PackageForm("Yarn Plug'n'Play (`.pnp.*`, `.yarn/cache/*.zip`)", _NONE),
        "pnpm-store": PackageForm("a pnpm store", _NONE),
        "npm-lock": PackageForm("lock files of npm, Yarn, pnpm, Bun and Deno without installed packages", _NONE),
        "js-bundle": PackageForm("JavaScript bundles (webpack, esbuild, Rollup)", _NONE),
        "js-executable": PackageForm(
            "programs with JavaScript inside (Node SEA, Bun, Deno, Electron's `.asar`)", _NONE
        ),
        "python-zip": PackageForm(
            "Python archives that are run or imported unpacked (`.pex`, `.pyz`, `.whl`, zipapps)", _NONE
        ),
        "python-frozen": PackageForm("frozen Python programs (PyInstaller)", _NONE),
        "python-lock": PackageForm("lock files of Poetry, Pipenv, uv and PDM without installed packages", _NONE),
        "gem-lock": PackageForm("`Gemfile.lock` without installed gems", _NONE),
        "gem-archive": PackageForm("`.gem` archives", _NONE),
        "composer-lock": PackageForm("`composer.lock` without installed packages", _NONE),
        "phar": PackageForm("PHP archives (`.phar`)", _NONE),
        "rust-plain": PackageForm("Rust programs without an audit section", _NONE),
        "go-plain": PackageForm("Go programs without build information", _NONE),
        "dotnet-bundle": PackageForm("single-file .NET programs", _NONE),
        "dotnet-deps-unread": PackageForm("`*.deps.json` that is no strict JSON", _NONE),
        "java-exploded": PackageForm("unpacked jars (`META-INF/maven/**/pom.properties`)", _NONE),
        "java-unidentified": PackageForm("Java archives in which no asked scanner finds a package", _NONE),
        "elixir": PackageForm("`mix.lock` of Elixir", _NONE),
        "erlang": PackageForm("Erlang and Elixir applications (`ebin/*.app`, `rebar.lock`)", _NONE),
        "swift": PackageForm("Swift's `Package.resolved` and CocoaPods' `Podfile.lock`", _NONE),
        "dart": PackageForm("Dart's `pubspec.lock`", _NONE),
        "haskell": PackageForm("Haskell's `stack.yaml.lock` and `cabal.project.freeze`", _NONE),
        "perl": PackageForm("CPAN packages (`.packlist`, `cpanfile.snapshot`)", _NONE),
        "ocaml": PackageForm("opam packages", _NONE),
        "guix": PackageForm("Guix store paths", _NONE),
        "snap": PackageForm("snaps, flatpaks and AppImages", _NONE),
        "wasm": PackageForm("WebAssembly modules", _NONE),
        "lazy-index": PackageForm(
            "a second list of a layer's files, which a lazily pulling runtime believes and the gate does not compare"
            " (eStargz, nydus)",
            _NONE,
        ),
        "os-archive": PackageForm(
            "package archives of distributions that were not installed (`.deb`, `.rpm`, `.apk`)", _NONE
        ),
    }
)
