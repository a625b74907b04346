"""Measure the search for secrets beside its peers: `python -m bench.secrets [--part measured] [--stock FOLDER] [--write]`.

`--write` puts the table into docs/checks/secret.md. `--stock` names a folder for images of stock software: every finding of the
gate there is printed, to be looked at by eye, without its value.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

from bench.secrets.alarms import Alarms, alarms_of_gate, alarms_of_peer, files_with_keys
from bench.secrets.blocking import blocking_of, lines_of
from bench.secrets.drawn_images import DRAWN
from bench.secrets.peers import Peer, present, run
from bench.secrets.rates import Rates, rates_of
from bench.secrets.stock import build_stock
from bench.secrets.stock_images import STOCK, UNSEEN
from tools.secrets_corpus.generate import FILES_FOLDER, Part, write_corpus

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "checks" / "secret.md"
BEGIN, END = "<!-- make bench-secrets: begin -->", "<!-- make bench-secrets: end -->"


def main() -> None:
    """Measure, print, and write the table where asked."""
    parser = argparse.ArgumentParser(prog="python -m bench.secrets", description=__doc__)
    parser.add_argument("--part", type=Part, choices=list(Part), default=Part.MEASURED)
    parser.add_argument("--stock", type=Path, help="a folder for file systems of stock software, made if missing")
    parser.add_argument("--only", help="one tool alone")
    parser.add_argument("--details", action="store_true", help="recall by kind and carrier, and false alarms by kind")
    parser.add_argument("--write", action="store_true", help="put the table into docs/checks/secret.md")
    chosen = parser.parse_args()
    peers = {name: peer for name, peer in present().items() if chosen.only in {None, name}}
    rates: dict[str, Rates] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        labels = write_corpus(folder, chosen.part)
        print(f"{chosen.part}: {sum(one.is_secret for one in labels)} secrets of {len(labels)} files", flush=True)
        for name, peer in peers.items():
            result = run(peer, folder / FILES_FOLDER)
            rates[name] = rates_of(labels, result.files)
            print(f"{name}: {result.seconds:.0f} s", flush=True)
            if chosen.details:
                _tell(rates[name])
    stock = _measure_stock(chosen.stock, peers) if chosen.stock else {}
    if chosen.stock and "gate" in peers:
        _tell_blocking(chosen.stock)
    text = _table(rates, stock)
    print(text)
    if chosen.write:
        _write(text)


def _tell(rates: Rates) -> None:
    for title, pairs in (("kind", rates.by_kind), ("carrier", rates.by_carrier)):
        print(f"  recall by {title}: " + ", ".join(f"{name} {value:.2f}" for name, value in pairs if value < 1))
    print("  false alarms: " + ", ".join(f"{name} {count}" for name, count in rates.alarms_by_kind))


def _tell_blocking(folder: Path) -> None:
    """Print what refuses ordinary images by default: those that a seed drew, those of before that nobody mended, and the ten."""
    for images in (DRAWN, UNSEEN, STOCK):
        names = build_stock(folder, images)
        print(*lines_of(blocking_of(folder, names), names), sep="\n", flush=True)


def _measure_stock(folder: Path, peers: dict[str, Peer]) -> dict[str, tuple[Alarms, ...]]:
    """Return what each tool says of the images that were looked at, and of those that nobody looked at before."""
    measured: dict[str, tuple[Alarms, ...]] = dict.fromkeys(peers, ())
    for images in (STOCK, UNSEEN):
        names = build_stock(folder, images)
        keys = files_with_keys(folder, names)
        for name, peer in peers.items():
            of_gate = name == "gate"
            alarms = alarms_of_gate(folder, names, keys) if of_gate else alarms_of_peer(peer, folder, names, keys)
            measured[name] += (alarms,)
            print(f"{name}: {alarms}; {alarms.unopened} places not opened", flush=True)
            for line in alarms.lines if of_gate else ():
                print(f"  {line}")
    return measured


def _table(rates: dict[str, Rates], stock: dict[str, tuple[Alarms, ...]]) -> str:
    head = [
        "tool",
        "recall",
        "precision",
        "F1",
        "worst kind",
        "worst place",
        *(["findings in ten stock images", "in five that nobody had looked at"] if stock else []),
    ]
    rows = [
        [
            name,
            f"{one.recall:.3f}",
            f"{one.precision:.3f}",
            f"{one.f1:.3f}",
            f"{one.worst_kind[0]} {one.worst_kind[1]:.2f}",
            f"{one.worst_carrier[0]} {one.worst_carrier[1]:.2f}",
            *(map(str, stock[name]) if stock else ()),
        ]
        for name, one in rates.items()
    ]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def _write(text: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    PAGE.write_text(pattern.sub(lambda _: f"{BEGIN}\n{text}\n{END}", page), encoding="utf-8")


if __name__ == "__main__":
    main()
