"""Marks in the bodies of programs and scripts by which a form of package is known that no file name tells.

Each mark is what the form's own loader or linker looks for, or what its compiler always writes; none is kept by a file that was
stripped of it on purpose (threat model). Looks at files by their first bytes, so that whether a file may be run, which is one
bit in the layer, decides nothing (attack: a scanner leaves out what has no execute bit).

Sources: Go `debug/buildinfo`; rustc's `/rustc/COMMIT/` in panic messages, rust-secure-code/cargo-auditable (section
`.dep-v0`); .NET `bundle_marker.cpp` (SHA-256 of ".net core bundle"); PyInstaller `pyi_archive.h`; Node `single_executable_
applications`; Bun `StandaloneModuleGraph.zig`; Deno `standalone/binary.rs`; PEP 441 for zipapps. Reviewed 2026-12-01.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from gate.layers.entry import BodySink, Entry
from gate.layers.go_build_info import MAGIC as GO_MAGIC
from gate.layers.go_build_info import MAX_INFO_BYTES, begins, parse_modules
from gate.model.finding import PackageKey

_ELF: Final = b"\x7fELF"
_HEAD_BYTES: Final = 64 * 1024
_OVERLAP: Final = 64
_GO_ID: Final = b'Go build ID: "'
_RUST: Final = b"/rustc/"
_RUST_AUDIT: Final = b".dep-v0\0"
# The mark is in every .NET host; the eight bytes before it are the bundle's offset, and zero in a host without one.
_DOTNET: Final = bytes.fromhex("8b1202b96a612038727b930214d7a03213f5b9e6efae3318ee3b2dce24b36aae")
_MARKS: Final[tuple[tuple[str, bytes], ...]] = (
    ("go-id", _GO_ID),
    ("rust", _RUST),
    ("rust-audit", _RUST_AUDIT),
    ("dotnet", _DOTNET),
    ("python-frozen", b"MEI\x0c\x0b\x0a\x0b\x0e"),
    ("js-executable", b"NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1"),
)
# At the end of a file that Bun or Deno made; the runtimes themselves hold the same text elsewhere.
_TAILS: Final = (re.compile(rb"(?s).*\n---- Bun! ----\n.{0,8}"), re.compile(rb"(?s).*d3n0l4nd.{16,32}"))
# Native libraries belong to the package that loads them, which is listed by its own name.
_LIBRARY: Final = re.compile(rb"(?s).*\.(?:so(?:\.[^/]*)?|node|a|o)")
_SCRIPT: Final = re.compile(rb"(?s).*\.(?:js|cjs|mjs)")
_BUNDLES: Final = (
    b"__webpack_require__",
    b"webpackBootstrap",
    b"webpackChunk",
    b"__commonJS = (cb, mod)",
    b"__commonJSMin",
    b"getDefaultExportFromCjs",
    b"parcelRequire",
)
_ZIP_AFTER_SHEBANG: Final = re.compile(rb"#![^\n]{1,500}\nPK\x03\x04")


class ProgramMarks:
    """Search the beginning of every file, and the whole of every program; keep what was found by path and layer."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, bytes], frozenset[str]] = {}
        self._go: dict[tuple[int, bytes], bytes] = {}

    def begin(self, entry: Entry, layer: int) -> BodySink:
        """Take the body of a file."""

        def keep(marks: frozenset[str], go: bytes) -> None:
            if marks:
                self._found[layer, entry.path] = marks
            if go:
                self._go[layer, entry.path] = go

        return _Search(keep, is_script=_SCRIPT.fullmatch(entry.path) is not None)

    def forms_of(self, path: bytes, body: tuple[int, bytes]) -> Iterator[str]:
        """Return the forms of a file whose bytes this entry of a layer brought."""
        found = self._found.get(body)
        if found is not None:
            yield from sorted(_forms(found, is_library=_LIBRARY.fullmatch(path) is not None, path=path))

    def modules_of(self, path: bytes, body: tuple[int, bytes]) -> tuple[PackageKey, ...]:
        """Return the Go modules that the program at this path names, where this entry brought its bytes."""
        info = self._go.get(body)
        return parse_modules(info, path.decode("utf-8", "backslashreplace")) if info is not None else ()


def _forms(marks: frozenset[str], *, is_library: bool, path: bytes) -> Iterator[str]:
    if "go" in marks:
        yield "go-binary"
    elif "go-id" in marks and not is_library:
        yield "go-plain"
    if "rust-audit" in marks:
        yield "rust-audit"
    elif "rust" in marks and not is_library and "go" not in marks:
        yield "rust-plain"
    yield from marks & {"python-frozen", "js-executable", "python-zip"}
    if "dotnet" in marks:
        yield "dotnet-bundle"
    if "js-bundle" in marks and b"node_modules/" not in path:
        yield "js-bundle"


class _Search:
    """Search one file piece by piece, with an overlap as long as the longest mark."""

    def __init__(self, keep: Callable[[frozenset[str], bytes], None], *, is_script: bool) -> None:
        self._keep = keep
        self._is_script = is_script
        self._is_program: bool | None = None
        self._last = b""
        self._marks: set[str] = set()
        self._start = 0
        self._go: bytearray | None = None

    def feed(self, piece: memoryview) -> None:
        """Take the next bytes."""
        if self._is_program is False:
            return
        window = self._last + bytes(piece)
        if self._is_program is None:
            if len(window) < _HEAD_BYTES and len(window) < len(_ELF):
                self._last = window
                return
            self._is_program = window.startswith(_ELF)
            if not self._is_program:
                self._look_at_head(window[:_HEAD_BYTES])
                return
        self._look_for_go(window, piece)
        for name, mark in _MARKS:
            at = window.find(mark) if name not in self._marks else -1
            if at >= 0 and (name != "dotnet" or window[max(0, at - 8) : at].strip(b"\0")):
                self._marks.add(name)
        self._last = window[-_OVERLAP:]
        self._start += len(window) - len(self._last)

    def finish(self) -> None:
        """Hand over what was found."""
        if self._is_program and any(tail.fullmatch(self._last) for tail in _TAILS):
            self._marks.add("js-executable")
        self._keep(frozenset(self._marks), bytes(self._go or b""))

    def _look_for_go(self, window: bytes, piece: memoryview) -> None:
        if self._go is not None:
            if len(self._go) < MAX_INFO_BYTES:
                self._go += piece
            return
        at = window.find(GO_MAGIC)
        while at >= 0:
            if begins(window[at : at + 32], self._start + at):
                self._marks.add("go")
                self._go = bytearray(window[at:])
                return
            at = window.find(GO_MAGIC, at + 1)

    def _look_at_head(self, head: bytes) -> None:
        if head.startswith(b"#!") and _ZIP_AFTER_SHEBANG.match(head):
            self._marks.add("python-zip")
        if self._is_script and any(mark in head for mark in _BUNDLES):
            self._marks.add("js-bundle")
