"""A process that appends to a record, for tests that start several of it or kill one.

    python -m tests.support.record_writer URL EVIDENCE NAME COUNT

Writes COUNT groups of three rows (0: without end), and a line after each group that is committed.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from gate.store.record import Entry, open_record


def main() -> None:
    url, evidence, name, count = sys.argv[1:]
    record = open_record(url, Path(evidence))
    for number in range(int(count)) if int(count) else itertools.count():
        verdict = Entry(kind="verdict", content={"of": name, "n": number}, subject=f"{name}@{number}")
        intent = Entry(kind="intent", content={"of": name, "n": number}, subject=name, refers_to_first=True)
        padding = Entry(kind="intent", content={"padding": "x" * 20_000}, subject=name, refers_to_first=True)
        rows = record.append(verdict, intent, padding)
        sys.stdout.write(f"{rows[-1].number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
