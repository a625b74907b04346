"""Draw names from a list of popular packages by a seed, so that nobody picks what the search is measured on.

    python -m bench.secrets.draw SEED COUNT LIST NAME...

prints for each NAME of an image COUNT names of LIST (one name a line, `#` begins a remark), and the list's digest. Whoever has
the list draws the same; where it came from and on which day stands beside what was drawn (`drawn_images.py`).
"""

from __future__ import annotations

import argparse
import hashlib
import random
from collections.abc import Sequence
from pathlib import Path


def draw(seed: int, image: str, count: int, names: Sequence[str]) -> tuple[str, ...]:
    """Return what the seed draws for an image, in the list's order."""
    chosen = random.Random(f"{seed} {image}").sample(range(len(names)), count)  # noqa: S311 - to be drawn again by anybody
    return tuple(names[place] for place in sorted(chosen))


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of a list."""
    return tuple(line for line in text.split("\n") if line and not line.startswith("#"))


def main() -> None:
    """Draw and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.secrets.draw")
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("list", type=Path)
    parser.add_argument("image", nargs="+")
    chosen = parser.parse_args()
    names = names_in(chosen.list.read_text(encoding="utf-8"))
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
    print(f"{len(names)} names, sha256:{digest}")
    for image in chosen.image:
        print(image, *draw(chosen.seed, image, chosen.count, names))


if __name__ == "__main__":
    main()
