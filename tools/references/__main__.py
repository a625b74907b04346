"""`python -m tools.references`: ask BuildKit's and Compose's parsers for the references of files, and compare with `gate refs`.

Without paths, the generated files are compared, and with `--write` what the oracle said is recorded for the tests. With paths,
the Dockerfiles and Compose files below them are compared, so that recall and precision are measured on real files.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from gate.errors import EvidenceError
from gate.model.found_reference import ReferenceKind, ReferenceState
from gate.sources.compose import read_compose
from gate.sources.dockerfile import read_dockerfile
from gate.sources.files import is_dockerfile
from gate.sources.text import SourceText
from gate.sources.yaml_tree import documents
from tools.go import go_program
from tools.references.generate import files

FOLDER: Final = Path(__file__).resolve().parent
RECORD: Final = FOLDER / "recorded.json"
LEAST: Final = 0.995


def ours(path: Path) -> set[str] | None:
    """Return the images that `gate refs` finds, `?` for what only a run decides; None where the file is malformed."""
    source = SourceText(str(path), path.read_bytes(), lambda name: _read(path.parent / name))
    try:
        if is_dockerfile(path.name):
            read_dockerfile(source)
        else:
            for document in documents(source):
                read_compose(source, document)
    except EvidenceError:
        return None
    found = [
        item for item in source.found if item.kind is ReferenceKind.IMAGE and item.state is not ReferenceState.EXEMPT
    ]
    return {"?" if item.state is ReferenceState.UNRESOLVED else item.value for item in found}


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def ask(paths: list[Path]) -> dict[str, list[str]]:
    """Return what the oracle says of each file that it takes."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "references"
        subprocess.run([go_program(), "build", "-mod=readonly", "-o", program, "."], cwd=FOLDER, check=True)
        answers: dict[str, list[str]] = {}
        for kind in ("dockerfile", "compose"):
            asked = [path for path in paths if is_dockerfile(path.name) == (kind == "dockerfile")]
            given = "".join(f"{path}\n" for path in asked).encode()
            run = subprocess.run([program, kind], input=given, capture_output=True, check=True)
            lines = map(json.loads, run.stdout.splitlines())
            answers |= {line["path"]: line["references"] or [] for line in lines if "error" not in line}
        return answers


def compare(answers: dict[str, list[str]]) -> bool:
    """Print recall, precision and each difference; return whether both suffice."""
    right = invented = missed = 0
    for path, references in answers.items():
        found = ours(Path(path)) or set()
        expected = set(references)
        right, invented, missed = (
            right + len(found & expected),
            invented + len(found - expected),
            missed + len(expected - found),
        )
        if found != expected:
            print(f"{path}: invented {sorted(found - expected)}, missed {sorted(expected - found)}")
    recall, precision = right / max(1, right + missed), right / max(1, right + invented)
    print(f"{len(answers)} files, {right} references: recall {recall:.4f}, precision {precision:.4f}")
    return recall >= LEAST and precision >= LEAST


def main() -> int:
    """Compare; return 1 where recall or precision is too low."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--write", action="store_true", help="record what the oracle says of the generated files")
    options = parser.parse_args()
    if options.paths:
        found = [path for root in options.paths for path in sorted(root.rglob("*")) if path.is_file()]
        return 0 if compare(ask([path for path in found if is_dockerfile(path.name) or "compose" in path.name])) else 1
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in files().items():
            (Path(scratch) / name).write_bytes(text.encode())
        answers = ask(sorted(Path(scratch).iterdir()))
        if options.write:
            recorded = {Path(path).name: references for path, references in sorted(answers.items())}
            RECORD.write_text(json.dumps(recorded, indent=0, sort_keys=True) + "\n", encoding="utf-8")
        return 0 if compare(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
