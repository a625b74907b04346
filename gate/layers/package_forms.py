"""Where an image holds packages, form by form: by the names of files, and by marks in the files that run.

Names nothing that a scanner looks up; it says which forms are there, so that the check of completeness can say which of them
nobody looked at. A file that a package of the distribution claims keeps its owner's name: the distribution answers for it.
Specification: `gate.model.package_forms`, with the forms' own documentation named beside each rule.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from gate.layers.entry import BodySink, Entry, EntryKind
from gate.layers.merged_view import MergedView
from gate.layers.program_marks import ProgramMarks
from gate.model.finding import PackageKey
from gate.model.layer_facts import FormSeen
from gate.model.package_forms import UNNAMED_JAR

# Places that are named one by one; more of a form are counted together under its last one's folder, and then refuse as a whole.
_MAX_PLACES: Final = 500
# Of these each is compared with what the scanners list.
_MAX_JARS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Rule:
    """A form, by the whole path; `root` in the pattern is the part that stands for all of it in a report."""

    form: str
    path: re.Pattern[bytes]


def _rule(form: str, pattern: bytes) -> _Rule:
    return _Rule(form, re.compile(rb"(?s)(?:.*/)?" + pattern))


# Last part of the path -> rule.
_NAMES: Final[Mapping[bytes, tuple[_Rule, ...]]] = MappingProxyType(
    {
        b".pnp.cjs": (_rule("yarn-pnp", rb"(?P<root>\.pnp\.cjs)"),),
        b".pnp.js": (_rule("yarn-pnp", rb"(?P<root>\.pnp\.js)"),),
        b".pnp.data.json": (_rule("yarn-pnp", rb"(?P<root>\.pnp\.data\.json)"),),
        b"Cargo.lock": (_rule("cargo-lock", rb"(?P<root>Cargo\.lock)"),),
        b"Manifest.toml": (_rule("julia", rb"(?P<root>Manifest\.toml)"),),
        b"packages.config": (_rule("nuget-config", rb"(?P<root>packages\.config)"),),
        b"packages.lock.json": (_rule("nuget-lock", rb"(?P<root>packages\.lock\.json)"),),
        b"installed.json": (_rule("composer-installed", rb"(?P<root>composer/installed\.json)"),),
        b"conaninfo.txt": (_rule("conan", rb"(?P<root>conaninfo\.txt)"),),
        b"DESCRIPTION": (_rule("r", rb"(?P<root>(?:library|site-library)/[^/]+/DESCRIPTION)"),),
        b"pom.properties": (_rule("java-exploded", rb"(?P<root>META-INF/maven/[^/]+/[^/]+/pom\.properties)"),),
        b"mix.lock": (_rule("elixir", rb"(?P<root>mix\.lock)"),),
        b"rebar.lock": (_rule("erlang", rb"(?P<root>rebar\.lock)"),),
        b"Package.resolved": (_rule("swift", rb"(?P<root>Package\.resolved)"),),
        b"Podfile.lock": (_rule("swift", rb"(?P<root>Podfile\.lock)"),),
        b"pubspec.lock": (_rule("dart", rb"(?P<root>pubspec\.lock)"),),
        b"stack.yaml.lock": (_rule("haskell", rb"(?P<root>stack\.yaml\.lock)"),),
        b"cabal.project.freeze": (_rule("haskell", rb"(?P<root>cabal\.project\.freeze)"),),
        b".packlist": (_rule("perl", rb"(?P<root>auto/.+/\.packlist)"),),
        b"cpanfile.snapshot": (_rule("perl", rb"(?P<root>cpanfile\.snapshot)"),),
        b"stargz.index.json": (_rule("lazy-index", rb"(?P<root>stargz\.index\.json)"),),
        b"image.boot": (_rule("lazy-index", rb"(?P<root>image/image\.boot)"),),
        b"snap.yaml": (_rule("snap", rb"(?P<root>meta/snap\.yaml)"),),
        **{
            name: (_rule("npm-lock", rb"(?P<root>" + re.escape(name) + rb")"),)
            for name in (
                b"package-lock.json", b"npm-shrinkwrap.json", b"yarn.lock", b"pnpm-lock.yaml", b"bun.lock", b"bun.lockb",
                b"deno.lock",
            )
        },
        **{
            name: (_rule("python-lock", rb"(?P<root>" + re.escape(name) + rb")"),)
            for name in (b"poetry.lock", b"Pipfile.lock", b"uv.lock", b"pdm.lock", b"pylock.toml")
        },
        b"Gemfile.lock": (_rule("gem-lock", rb"(?P<root>Gemfile\.lock)"),),
        b"gems.locked": (_rule("gem-lock", rb"(?P<root>gems\.locked)"),),
        b"composer.lock": (_rule("composer-lock", rb"(?P<root>composer\.lock)"),),
    }
)  # fmt: skip
# What follows the last dot of the last part -> rules.
_SUFFIXES: Final[Mapping[bytes, tuple[_Rule, ...]]] = MappingProxyType(
    {
        b"json": (
            _rule("conda", rb"(?P<root>conda-meta)/[^/]+\.json"),
            # pnpm 10: `v10/index/`; before: `v3/files/00/...-index.json` (pnpm `store/cafs`).
            _rule("pnpm-store", rb"(?P<root>v[0-9]+/(?:index|files))/[0-9a-f]{2}/[^/]+\.json"),
        ),
        b"zip": (_rule("yarn-pnp", rb"(?P<root>\.yarn/(?:berry/)?cache)/[^/]+\.zip"),),
        b"asar": (_rule("js-executable", rb"(?P<root>[^/]+\.asar)"),),
        **{
            suffix: (_rule("python-zip", rb"(?P<root>[^/]+\." + suffix + rb")"),) for suffix in (b"pex", b"pyz", b"pyzw", b"whl")
        },
        b"gem": (_rule("gem-archive", rb"(?P<root>[^/]+\.gem)"),),
        b"phar": (_rule("phar", rb"(?P<root>[^/]+\.phar)"),),
        b"app": (_rule("erlang", rb"(?P<root>ebin/[^/]+\.app)"),),
        **{
            suffix: (_rule("java-plugin", rb"(?P<root>[^/]+\." + suffix + rb")"),)
            for suffix in (b"hpi", b"jpi", b"nar", b"kar", b"sar", b"lpkg")
        },
        b"reg": (_rule("pear", rb"(?P<root>php/\.registry)/(?:[^/]+/)*[^/]+\.reg"),),
        b"rockspec": (_rule("lua", rb"(?P<root>[^/]+\.rockspec)"),),
        b"opam": (_rule("ocaml", rb"(?P<root>[^/]*\.opam)"),),
        b"snap": (_rule("snap", rb"(?P<root>[^/]+\.snap)"),),
        b"flatpak": (_rule("snap", rb"(?P<root>[^/]+\.flatpak)"),),
        b"wasm": (_rule("wasm", rb"(?P<root>[^/]+\.wasm)"),),
        b"deb": (_rule("os-archive", rb"(?P<root>[^/]+\.deb)"),),
        b"rpm": (_rule("os-archive", rb"(?P<root>[^/]+\.rpm)"),),
        b"php": (_rule("wordpress", rb"(?P<root>wp-content/plugins/[^/]+)/[^/]+\.php"),),
    }
)  # fmt: skip
# Folders each of whose entries is one package.
_FOLDERS: Final = (("nix", b"nix/store"), ("guix", b"gnu/store"), ("portage", b"var/db/pkg"))
_CELLARS: Final = (b"home/linuxbrew/.linuxbrew/Cellar", b"usr/local/Cellar", b"opt/homebrew/Cellar")
# Files of these forms inside an installed package belong to that package, which is listed itself.
_INSIDE: Final = re.compile(
    rb"(?s)(?:.*/)?(?:node_modules|site-packages|dist-packages|gems|vendor|registry|pkg/mod)/.*"
)
_LOCKS: Final[Mapping[str, str]] = MappingProxyType(
    {"npm-lock": "npm", "python-lock": "pypi", "gem-lock": "gem", "composer-lock": "composer"}
)
# CPython's own two wheels, which `ensurepip` unpacks and pip then lists (Lib/ensurepip/_bundled).
_BUNDLED: Final = re.compile(rb"(?s).*/ensurepip/_bundled/(?:pip|setuptools)-[0-9.]+-py3-none-any\.whl")


class FormReader:
    """Look for marks in the bodies of every layer, and name the forms that the finished view shows."""

    def __init__(self) -> None:
        self._marks = ProgramMarks()

    def begin(self, entry: Entry, layer: int) -> BodySink | None:
        """Take the body of any file; those without a mark are let go after their first bytes."""
        return self._marks.begin(entry, layer)

    def conclude(
        self,
        view: MergedView,
        *,
        installed: frozenset[str],
        owners: Mapping[bytes, tuple[str, ...]],
        unread: Iterable[bytes],
        jars: Iterable[bytes],
    ) -> tuple[FormSeen, ...]:
        """Return the forms that are there.

        `installed` are purl types of which the gate's own list has packages; a lock file beside them is only their list.
        `owners` maps a path to the packages of the distribution that claim it; `unread` are files of .NET that are no
        JSON, `jars` archives of Java classes of which the gate reads no coordinates.
        """
        places: defaultdict[tuple[str, bytes, str], int] = defaultdict(int)
        for form, root, path in self._found(view, installed):
            places[form, root, next(iter(owners.get(path, ())), "")] += 1
        for path in unread:
            places["dotnet-deps-unread", path, next(iter(owners.get(path, ())), "")] += 1
        for path in jars:
            places[UNNAMED_JAR, path, next(iter(owners.get(path, ())), "")] += 1
        return tuple(_bounded(places))

    def modules(self, view: MergedView) -> frozenset[PackageKey]:
        """Return the modules that Go programs of the view name; an empty version where one is named without."""
        found: set[PackageKey] = set()
        for folder, name, node in view.files():
            if node.kind is EntryKind.FILE:
                path = folder + b"/" + name if folder else name
                found.update(self._marks.modules_of(path, node.body_of(path)))
        return frozenset(found)

    def candidates(self, view: MergedView) -> set[bytes]:
        """Return the paths about which it matters whether a package of the distribution claims them."""
        return {path for _, _, path in self._found(view, frozenset())}

    def _found(self, view: MergedView, installed: frozenset[str]) -> Iterator[tuple[str, bytes, bytes]]:
        for folder, name, node in view.files():
            if node.kind is EntryKind.FILE:
                path = folder + b"/" + name if folder else name
                yield from ((form, root, path) for form, root in _named(path, name, installed))
                yield from ((form, path, path) for form in self._marks.forms_of(path, node.body_of(path)))
        yield from ((form, folder, folder) for form, folder in _FOLDERS if view.names(folder))
        yield from (("homebrew", cellar, cellar) for cellar in _CELLARS if view.names(cellar))


def _named(path: bytes, name: bytes, installed: frozenset[str]) -> Iterator[tuple[str, bytes]]:
    rules = (*_NAMES.get(name, ()), *_SUFFIXES.get(name.rpartition(b".")[2], ()))
    for rule in rules:
        found = rule.path.fullmatch(path)
        if found is None or _BUNDLED.fullmatch(path):
            continue
        lock = _LOCKS.get(rule.form)
        if lock is not None and (lock in installed or _INSIDE.fullmatch(path)):
            continue
        if rule.form in {"cargo-lock", "nuget-config", "elixir", "ocaml"} and _INSIDE.fullmatch(path):
            continue
        yield rule.form, path[: found.end("root")]


def _bounded(places: Mapping[tuple[str, bytes, str], int]) -> Iterator[FormSeen]:
    kept: defaultdict[str, int] = defaultdict(int)
    rest: defaultdict[str, int] = defaultdict(int)
    for (form, root, owner), count in sorted(places.items()):
        kept[form] += 1
        if kept[form] > (_MAX_JARS if form == UNNAMED_JAR else _MAX_PLACES):
            rest[form] += count
        else:
            yield FormSeen(form=form, path=root.decode("utf-8", "backslashreplace"), count=count, owner=owner)
    yield from (FormSeen(form=form, path="", count=count) for form, count in rest.items())
