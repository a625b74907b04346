"""Build the images: `python -m tools.images build --out DIR`, `large --out DIR --megabytes N`, `today`, `record`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tools.images.catalog import WRONG, build_images
from tools.images.large import build_large
from tools.images.parts import RECORDED, SMALL_PARTS, PartError, default_cache, fetch_part
from tools.images.today import build_today

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give 0, or 1 with one line of why."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "build":
                built = build_images(options.out, options.created, options.wheels_cache, only=options.only)
                for image in built.values():
                    print(f"{image.name:22} {image.digest}  {image.expected}")
            case "large":
                image = build_large(options.out, options.created, options.wheels_cache, megabytes=options.megabytes)
                print(f"{image.name:22} {image.digest}  {image.expected}")
            case "today":
                image = build_today(options.out, options.created)
                print(f"{image.name:22} {image.digest}  {image.expected}")
            case _:
                _record()
    except PartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _record() -> None:
    RECORDED.mkdir(parents=True, exist_ok=True)
    for part in SMALL_PARTS:
        (RECORDED / part.file).write_bytes(fetch_part(part))
        print(f"{part.sha256}  {part.file}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.images", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="write the named images, one layout each")
    build.add_argument("--only", nargs="+", metavar="NAME", choices=sorted(WRONG), help="these alone")
    large = commands.add_parser("large", help="write one larger image for the benchmarks")
    large.add_argument("--megabytes", type=int, required=True, help="size of its inflated layers")
    today = commands.add_parser("today", help="write a whole Debian of today, with mmdebstrap")
    for command in (build, large, today):
        command.add_argument("--out", type=Path, required=True, help="folder that gets one folder an image")
        command.add_argument("--created", type=_moment, default=datetime.now(UTC), help="RFC 3339 time; default: now")
    for command in (build, large):
        command.add_argument("--wheels-cache", type=Path, default=default_cache(), help="where fetched parts are kept")
    commands.add_parser("record", help="fetch the small parts from their registries into fixtures/images/parts")
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError("a time needs its zone, such as 2026-01-31T12:00:00Z")
    return moment.astimezone(UTC)


if __name__ == "__main__":
    sys.exit(main())
