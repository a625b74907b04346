"""Random Dockerfiles and Compose files by seed, with what readers differ in: arguments, stages, quotes, heredocs, case."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

_IMAGES: Final = (
    "alpine", "alpine:3.20", "registry.example:5000/a/b:1", "gcr.io/x/y", "docker.io/library/debian:12",
    f"registry.example/p@sha256:{'1f' * 32}", f"nginx:1.27@sha256:{'ab' * 32}",
)  # fmt: skip
_NAMES: Final = ("build", "Base", "one", "final-2", "x.y")
_VARIABLES: Final = ("TAG", "BASE", "REGISTRY", "TARGETARCH", "BUILDPLATFORM", "EMPTY")
_SEEDS: Final = 400


def dockerfile(seed: int) -> str:
    """Return a Dockerfile that BuildKit takes, mostly."""
    pick = random.Random(seed)  # noqa: S311 - to repeat it
    escape = pick.choice("\\\\\\`")
    lines = (
        [f"# syntax={pick.choice(('docker/dockerfile:1', 'docker/dockerfile:1.7 extra'))}"]
        if pick.random() < 0.3
        else []
    )
    lines += [f"# escape={escape}"] if escape == "`" else []
    lines += ["", "# a comment"] if pick.random() < 0.3 else []
    lines += [_argument(pick) for _ in range(pick.randrange(4))]
    for number in range(pick.randint(1, 4)):
        lines.append(_from(pick, number, escape))
        lines += [pick.choice(_INSTRUCTIONS)(pick, escape) for _ in range(pick.randrange(5))]
    end = pick.choice(("\n", "\n", "\r\n"))
    return end.join("\n".join(lines).split("\n")) + pick.choice(("", end))


def _argument(pick: random.Random) -> str:
    name = pick.choice(_VARIABLES[:3])
    value = pick.choice(
        ("", "=3.20", "=alpine", '="gcr.io/q:1"', "='a b'", "=${BASE:-alpine}", "=x$TAG", f"={pick.choice(_IMAGES)}")
    )
    return f"{pick.choice(('ARG', 'arg', 'ARG '))} {name}{value}"


def _word(pick: random.Random) -> str:
    return pick.choice(
        (
            pick.choice(_IMAGES), pick.choice(_IMAGES), f'"{pick.choice(_IMAGES)}"', "scratch", pick.choice(_NAMES),
            "alpine:$TAG", "alpine:${TAG}", "${BASE}", "$BASE", "${REGISTRY:-docker.io}/x", "${REGISTRY-q}/y:1", "a${TAG:+:1}",
            "${BASE#*/}", "${BASE%:*}", "img-${TARGETARCH}:1", "alpine:${EMPTY:-3.19}", "${BASE/alpine/debian}",
        )
    )  # fmt: skip


def _from(pick: random.Random, number: int, escape: str) -> str:
    platform = pick.choice(("", "", "--platform=linux/arm64 ", "--platform=$BUILDPLATFORM "))
    gap = pick.choice((" ", "  ", f" {escape}\n  ", f" {escape}\n# inside\n\n "))
    name = pick.choice(
        ("", f" AS {pick.choice(_NAMES)}{number if pick.random() < 0.5 else ''}", f" as {pick.choice(_NAMES)}")
    )
    return f"{pick.choice(('FROM', 'from', '  FROM'))} {platform}{gap}{_word(pick)}{name}"


def _copy(pick: random.Random, _escape: str) -> str:
    source = pick.choice((*_IMAGES[:3], *_NAMES, "0", "scratch"))
    return pick.choice(
        (f"COPY --from={source} /a /b", f'COPY --link --from="{source}" a b', f"ONBUILD COPY --from={source} /a /b")
    )


def _mount(pick: random.Random, escape: str) -> str:
    source = pick.choice((*_IMAGES[:3], *_NAMES))
    return (
        f"RUN --mount=type=bind,from={source},target=/m --mount=target=/c,type=cache {escape}\n"
        f"{pick.choice(('', '    # comment' + chr(10)))}  echo FROM x"
    )


def _heredoc(pick: random.Random, _escape: str) -> str:
    body = pick.choice(("FROM in/side:1", "COPY --from=in/side:1 a b", "  EOF"))
    return pick.choice(
        (
            f"RUN <<EOF\n{body}\nEOF",
            f"RUN <<-'EOF'\n{body}\n\tEOF",
            f'COPY <<A <<"B" /x/\n{body}\nA\n{body}\nB',
            'RUN ["<<EOF"]',
        )
    )


def _other(pick: random.Random, _escape: str) -> str:
    return pick.choice(
        ("ENV A=FROM", 'LABEL x="FROM y"', "# FROM comment:1", "RUN echo COPY --from=not/this:1", "ARG TAG=late", "")
    )


_INSTRUCTIONS: Final[tuple[Callable[[random.Random, str], str], ...]] = (_copy, _mount, _heredoc, _other)


def compose(seed: int) -> str:
    """Return a Compose file."""
    pick = random.Random(seed)  # noqa: S311 - to repeat it
    lines = ["services:"]
    for number in range(pick.randint(1, 4)):
        image = pick.choice((*_IMAGES, "alpine:${TAG}", "${IMAGE:-redis:7}", "a:${X-1}", '"b:1"', "'c:${Y:-2}'"))
        lines += [f"  s{number}:", f"    image: {image}"]
        lines += pick.choice(([], ["    profiles: [debug]"], ["    build: ."], ["    platform: linux/arm64"]))
        lines += pick.choice(([], ["    volumes:", "      - {type: image, source: data:1, target: /d}"]))
    return "\n".join(lines) + "\n"


def files() -> dict[str, str]:
    """Return every generated file by name."""
    made = {f"{seed}.Dockerfile": dockerfile(seed) for seed in range(_SEEDS)}
    return made | {f"{seed}.compose.yaml": compose(seed) for seed in range(_SEEDS // 4)}
