"""Images and other mutable sources in a Dockerfile, by BuildKit's semantics.

An image stands in `FROM`, in `COPY --from`, in `RUN --mount=...,from=` and in the syntax directive, where it runs as the parser.
`FROM` sees the `ARG`s before the first one alone. Names of stages are no images: `FROM` knows the stages before it, `COPY --from`
and mounts know every stage. Source: moby/buildkit v0.26, frontend/dockerfile/{instructions,dockerfile2llb}.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gate.model.found_reference import (
    PINNED,
    ReferenceKind,
    Standing,
    commit_standing,
    invalid,
    mutable,
    unresolved,
)
from gate.sources.dockerfile_lines import Instruction, Word, directives, escape_of, instructions
from gate.sources.dockerfile_words import Expansion, WordError, expand
from gate.sources.templates import TEMPLATE
from gate.sources.text import About

if TYPE_CHECKING:
    from gate.sources.text import SourceText

# Known to every build and decided by it alone.
_PLATFORM_ARGUMENTS: Final = frozenset(
    f"{side}{part}" for side in ("TARGET", "BUILD") for part in ("PLATFORM", "OS", "OSVERSION", "ARCH", "VARIANT")
) | {"TARGETSTAGE"}
_STAGE_NAME: Final = re.compile(r"[a-z][a-z0-9_.-]*", re.ASCII)
_ASSIGNMENT: Final = re.compile(r"[^\s=]+(?:=(?:\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|[^\s'\"\\])*)?")
_GIT_URL: Final = re.compile(r"(?:git@[^/]+:|git://|ssh://|https?://(?:[^#?]+)\.git(?:[#?]|$))", re.ASCII)
_REMOTE: Final = re.compile(r"(?:https?|git|ssh)://|git@", re.ASCII)
# Longer values are bombs: each ARG can double the one before.
_MAX_VALUE: Final = 4096
_OVERRIDE: Final = "a build argument can replace it"


@dataclass(frozen=True, slots=True)
class _Argument:
    """An `ARG` before the first `FROM`: its value (None: only the build knows), and where its default stands in the file."""

    value: str | None
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class _State:
    source: SourceText
    escape: str
    arguments: dict[str, _Argument] = field(default_factory=dict)
    stages: list[str] = field(default_factory=list)
    later: list[tuple[str, int, int, str]] = field(default_factory=list)

    def variables(self) -> dict[str, str | None]:
        """Return what `FROM` sees; an argument without a default is not set, one whose default is not known has no value."""
        return dict.fromkeys(_PLATFORM_ARGUMENTS) | {name: argument.value for name, argument in self.arguments.items()}


def read_dockerfile(source: SourceText) -> None:
    """Report the references of a Dockerfile.

    Raises:
        EvidenceError: `REF_FILE_MALFORMED`.
    """
    found = directives(source)
    for directive in found:
        if directive.name == "syntax":
            image = directive.value.split(" ")[0]
            source.add_image(directive.start, directive.start + len(image), "# syntax")
    state = _State(source, escape_of(found))
    for instruction in instructions(source, state.escape):
        _read_instruction(state, instruction)
    for name, start, end, reached in state.later:
        if name != "scratch" and name.lower() not in state.stages:
            _report_source(state, name, start, end, reached)


def _read_instruction(state: _State, instruction: Instruction) -> None:
    name = instruction.name
    if name == "from" and not instruction.trigger:
        _read_from(state, instruction)
    elif name == "arg" and not state.stages and not instruction.trigger:
        _read_arg(state, instruction)
    elif name in {"copy", "run"}:
        _read_flags(state, instruction)
    elif name == "add":
        _read_add(state, instruction)


def _read_arg(state: _State, instruction: Instruction) -> None:
    for match in _ASSIGNMENT.finditer(instruction.line.text, instruction.arguments):
        name, equals, default = match[0].partition("=")
        if not equals:
            continue
        try:
            value = expand(default, state.variables(), state.escape)
        except WordError:
            state.arguments[name] = _Argument(None)
            continue
        known = not value.unset and len(value.text) <= _MAX_VALUE
        begin = match.start() + len(name) + 1
        # A quoted default stands between its quotes.
        quoted = len(default) > 1 and default[0] in "'\"" and default[0] == default[-1]
        start, end = instruction.line.place(begin + quoted), instruction.line.end_place(match.end() - quoted)
        state.arguments[name] = _Argument(value.text if known else None, start, end)


def _read_from(state: _State, instruction: Instruction) -> None:
    words = _words_in_line(instruction)
    named = len(words) == 3 and words[1].text.lower() == "as" and _STAGE_NAME.fullmatch(words[2].text.lower())
    if words:
        _report_base(state, instruction, words[0])
    state.stages.append(words[2].text.lower() if named else "")


def _words_in_line(instruction: Instruction) -> list[Word]:
    shift = instruction.arguments
    return [Word(word.text, word.start + shift, word.end + shift) for word in instruction.words()]


def _report_base(state: _State, instruction: Instruction, word: Word) -> None:
    line, source = instruction.line, state.source
    start, end = line.place(word.start), line.end_place(word.end)
    platform = _platform(state, instruction)
    if TEMPLATE.search(word.text):
        source.add_unresolved(start, end, "FROM", "a template decides it")
        return
    try:
        value = expand(word.text, state.variables(), state.escape)
    except WordError as error:
        source.add(start, end, ReferenceKind.IMAGE, invalid(f"{error} in the name"), "FROM", About(fixable=False))
        return
    if value.unset:
        source.add_unresolved(start, end, "FROM", _without_value(value), value.text)
    elif value.text != "scratch" and value.text.lower() not in {stage for stage in state.stages if stage}:
        _report_image(state, word, value, start, end, platform)


def _without_value(value: Expansion) -> str:
    return f"no value in this file for {', '.join(sorted(value.unset))}"


def _report_image(state: _State, word: Word, value: Expansion, start: int, end: int, platform: str) -> None:
    """Report the image of a `FROM`: where a variable is all of it, it stands at the variable's default."""
    source = state.source
    if not value.used:
        whole = end - start == len(word.text)
        source.add_image(start, end, "FROM", About(value=value.text, platform=platform, fixable=whole))
        return
    name = next(iter(value.used))
    whole = word.text in {f"${name}", f"${{{name}}}"} and name in state.arguments
    if whole and source.text[state.arguments[name].start : state.arguments[name].end] == value.text:
        argument = state.arguments[name]
        about = About(platform=platform, note=_OVERRIDE)
        source.add_image(argument.start, argument.end, f"ARG {name}", about)
        return
    appendable = not set(word.text) & set("'\"") and end - start == len(word.text)
    about = About(value=value.text, platform=platform, note=_OVERRIDE, fixable=appendable)
    source.add_image(start, end, "FROM", about)


def _platform(state: _State, instruction: Instruction) -> str:
    """Return the platform that the instruction names, or an empty text where the build decides it."""
    flag = next((flag.text for flag in instruction.flags if flag.text.startswith("--platform=")), "")
    try:
        value = expand(flag.removeprefix("--platform="), state.variables(), state.escape)
    except WordError:
        return ""
    return "" if value.unset else value.text


def _read_flags(state: _State, instruction: Instruction) -> None:
    """Note what an instruction copies or mounts from; whether it is a stage is known when all stages are."""
    trigger = "ONBUILD " if instruction.trigger else ""
    for flag in instruction.flags:
        name, _, value = flag.text.partition("=")
        if instruction.name == "copy" and name == "--from" and value and not value.isdecimal():
            raw = instruction.line.text[flag.start : flag.end]
            _note(state, instruction, flag, raw.rfind(value), value, f"{trigger}COPY --from")
        elif instruction.name == "run" and name == "--mount":
            _read_mount(state, instruction, flag, f"{trigger}RUN --mount")


def _read_mount(state: _State, instruction: Instruction, flag: Word, reached: str) -> None:
    raw = instruction.line.text[flag.start : flag.end]
    for field_text in flag.text.partition("=")[2].split(","):
        key, _, value = field_text.strip('"').partition("=")
        if key.lower() == "from" and value:
            match = re.search(rf"[=,\"']from=(?P<value>{re.escape(value)})", raw, re.IGNORECASE)
            _note(state, instruction, flag, match.start("value") if match else -1, value, reached)


def _note(state: _State, instruction: Instruction, flag: Word, at: int, name: str, reached: str) -> None:
    """Note a name that stands `at` in its flag; the whole flag is its place where it is written otherwise."""
    line = instruction.line
    begin, end = (flag.start + at, flag.start + at + len(name)) if at >= 0 else (flag.start, flag.end)
    state.later.append((name, line.place(begin), line.end_place(end), reached))


def _report_source(state: _State, name: str, start: int, end: int, reached: str) -> None:
    if "$" in name or TEMPLATE.search(name):
        note = "a variable is never replaced here: name a stage instead"
        state.source.add_unresolved(start, end, reached, note, name)
        return
    whole = state.source.text[start:end] == name
    state.source.add_image(start, end, reached, About(value=name, fixable=whole))


def _read_add(state: _State, instruction: Instruction) -> None:
    """Report what `ADD` fetches: a repository at a revision, or a file that its `--checksum` pins."""
    checksum = next(
        (flag.text.partition("=")[2] for flag in instruction.flags if flag.text.startswith("--checksum=")), ""
    )
    for word in _words_in_line(instruction)[:-1]:
        text = word.text.strip('[]",')
        if not _REMOTE.match(text):
            continue
        at = word.start + word.text.find(text)
        start, end = instruction.line.place(at), instruction.line.end_place(at + len(text))
        is_git = _GIT_URL.match(text) is not None
        kind = ReferenceKind.GIT if is_git else ReferenceKind.URL
        state.source.add(start, end, kind, _fetched(text, checksum, is_git=is_git), "ADD", About(fixable=False))


def _fetched(url: str, checksum: str, *, is_git: bool) -> Standing:
    if checksum and "$" in checksum:
        return unresolved("a variable decides the checksum")
    if checksum:
        return PINNED
    if not is_git:
        return mutable("what this address serves can change: add --checksum")
    revision = url.partition("#")[2].partition(":")[0]
    if "$" in revision:
        return unresolved("a variable decides the revision")
    return commit_standing(revision, "the revision")
