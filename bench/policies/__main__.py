"""The command: `python -m bench.policies [--kept DIR] [--write]` builds ordinary images and judges each under each policy."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.policies.ordinary_images import ORDINARY
from bench.secrets.stock import image_layers, missing_programs
from bench.shop import GATE, environment_of, import_databases
from bench.timing import BenchError, Scene
from tools.build import ROOT
from tools.demo.workspace import scanners_dir
from tools.images.layout import ImageConfig, image, write_layout

POLICIES: Final = ("baseline", "production", "strict")
PAGE: Final = ROOT / "docs" / "policies.md"
START: Final = "<!-- measured: begin -->\n"
END: Final = "<!-- measured: end -->\n"
_ENDS: Final = (0, 1, 3)
# Which checks refused what; a reason of several checks counts once.
Answers = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One image: the codes by which each policy refuses it, none where it passes."""

    name: str
    codes: Answers


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print each answer, and write the page if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.policies", description=__doc__)
    parser.add_argument(
        "--kept", type=Path, default=ROOT / ".bench" / "ordinary", help="where downloads stay between runs"
    )
    parser.add_argument("--write", action="store_true", help=f"write the result into {PAGE.relative_to(ROOT)}")
    given = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="gate-policies-") as folder:
            judged = measure(Path(folder), given.kept)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    text = render(judged)
    print(text)
    if given.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
        PAGE.write_text(before + START + text + END + rest.partition(END)[2], encoding="utf-8")
    return 0


def measure(root: Path, kept: Path) -> list[Judged]:
    """Build each image of today's packages, and judge it under each policy."""
    programs = {name: scanners_dir() / name for name in ("trivy", "grype")}
    scene = Scene(directory=root, environment=environment_of(root, programs))
    scene.timed([GATE, "tools", "install"], settings=dict(scene.environment))
    import_databases(scene, programs["grype"])
    for policy in POLICIES:
        scene.timed([GATE, "policy", "init", f"{policy}.yaml", "--template", policy])
    judged = []
    for one in ORDINARY:
        missing = missing_programs(one)
        if missing:
            print(f"bench: {missing} is not here, so {one.name} is left out", flush=True)
            continue
        write_layout(root / "image", image(image_layers(kept / one.name, one), ImageConfig(created=datetime.now(UTC))))
        judged.append(Judged(name=one.name, codes={policy: _codes(scene, policy) for policy in POLICIES}))
        shutil.rmtree(root / "image")
        shutil.rmtree(root / "cache" / "images", ignore_errors=True)
        print(f"bench: {one.name}: {dict(judged[-1].codes)}", flush=True)
    return judged


def _codes(scene: Scene, policy: str) -> tuple[str, ...]:
    """Return the codes by which a policy refuses the image, after its checks; a tool that broke ends the measure."""
    command = [GATE, "check", "oci:image", "-p", f"{policy}.yaml", "-f", "json", "--no-progress"]
    done = subprocess.run(
        command, cwd=scene.directory, env=dict(scene.environment), capture_output=True, text=True, check=False
    )
    if done.returncode not in _ENDS:
        raise BenchError(f"gate check ended with {done.returncode}: {done.stderr[-2000:]}")
    checks = json.loads(done.stdout)["images"][0]["checks"]
    return tuple(
        f"{check['id']}: {code}"
        for check in checks
        if check["outcome"] in {"fail", "error"} and not check.get("warned")
        for code in check["codes"]
    )


def render(judged: Sequence[Judged]) -> str:
    """Return the result as Markdown: how many pass, by which reasons the others are refused, and each image."""
    lines = ["| policy | pass | refused, by reason (images) |", "|---|---|---|"]
    for policy in POLICIES:
        passed = sum(not one.codes[policy] for one in judged)
        reasons = Counter(code for one in judged for code in dict.fromkeys(one.codes[policy]))
        told = ", ".join(f"{_shown(code)} ({count})" for code, count in reasons.most_common()) or "none"
        lines.append(f"| `{policy}` | {passed} of {len(judged)} | {told} |")
    lines += [
        "",
        "| image | what it is made of | " + " | ".join(f"`{policy}`" for policy in POLICIES) + " |",
        "|---|---|---|---|---|",
    ]
    made = {one.name: ", ".join((*one.debian, *one.wheels, *one.npm, *one.jars)) for one in ORDINARY}
    for one in judged:
        answers = (", ".join(map(_shown, dict.fromkeys(one.codes[policy]))) or "passes" for policy in POLICIES)
        lines.append(f"| {one.name} | {made[one.name]} | " + " | ".join(answers) + " |")
    return "\n".join(lines) + "\n"


def _shown(text: str) -> str:
    check, _, code = text.partition(": ")
    return f"{check} `{code}`"


if __name__ == "__main__":
    sys.exit(main())
