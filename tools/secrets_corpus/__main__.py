"""`python -m tools.secrets_corpus --out DIR --part develop|measured`: write a part of the corpus."""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.secrets_corpus.generate import SEED, Part, write_corpus


def main() -> None:
    """Write a part and say what it holds."""
    parser = argparse.ArgumentParser(prog="python -m tools.secrets_corpus", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a new folder")
    parser.add_argument("--part", type=Part, choices=list(Part), default=Part.DEVELOP)
    parser.add_argument("--seed", default=SEED)
    chosen = parser.parse_args()
    labels = write_corpus(chosen.out, chosen.part, chosen.seed)
    planted = sum(label.is_secret for label in labels)
    print(f"{chosen.part}: {planted} planted secrets, {len(labels) - planted} negatives in {chosen.out}")


if __name__ == "__main__":
    main()
