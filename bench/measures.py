"""What is measured: each function gives lines of the page, an aim beside what was seen."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.shop import GATE, SIZES_MB, Shop
from bench.timing import Contestant, Cost, Times, take_turns

SMALL_MB: Final = SIZES_MB[0]
_SCRIPT: Final = Path(__file__).parent / "one_after_another.sh"
_SUMMARY_TYPE: Final = "https://slsa.dev/verification_summary/v1"
_CONTESTANTS: Final = {
    "check": "`gate check`, cold, from the registry",
    "trivy": "`trivy image` alone, on the layout",
    "grype": "`grype` alone, on the layout",
    "pull": "the pull alone, as the plainest program does it",
    "script": "the shell script: pull, Trivy, Grype, `cosign verify`, `cosign attest`",
}
_MEMORY_LIMIT_MB: Final = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the page; `aim` is the most that `seen` may be, None where it only explains another line."""

    what: str
    seen: float
    unit: str = ""
    aim: float | None = None

    @property
    def missed(self) -> bool:
        """Say whether the aim was missed."""
        return self.aim is not None and self.seen > self.aim


def first_check(shop: Shop, rounds: int) -> list[Line]:
    """Compare a first check of an image with the scanners alone and with the same steps in a shell script."""
    times = take_turns(_first_contestants(shop), rounds)
    check, script, pull = times["check"], times["script"], times["pull"]
    slower = max((times["trivy"], times["grype"]), key=lambda found: found.median)
    name = "Trivy" if slower is times["trivy"] else "Grype"
    ratios = [
        Line(what=f"`gate check`, cold / ({name} alone + pull)", seen=check.ratio_to(slower.plus(pull)), aim=1.03),
        Line(what="`gate check`, cold / the same steps one after another", seen=check.ratio_to(script), aim=0.6),
    ]
    both = times["trivy"].processor + times["grype"].processor
    cores = os.cpu_count() or 1
    bound = Line(what=f"both scanners' processor seconds, spread over {cores} cores", seen=both / cores, unit="s")
    return [*ratios, *(line for contestant in times for line in _lines(contestant, times[contestant])), bound]


def _lines(contestant: str, times: Times) -> tuple[Line, Line]:
    what = _CONTESTANTS[contestant]
    return (
        Line(what=what, seen=times.median, unit="s"),
        Line(what="… in processor seconds", seen=times.processor, unit="s"),
    )


def _first_contestants(shop: Shop) -> dict[str, Contestant]:
    scene, layout, reference = shop.scene, str(shop.layouts[SMALL_MB]), shop.reference(SMALL_MB)
    repository, digest = reference.removeprefix(f"{shop.host}/").split("@")
    flags = scene.environment["TRIVY_FLAGS"].split()
    report = ("-o", "json=alone.json", "-o", "cyclonedx-json=alone.cdx.json", "--config", "grype.yaml")
    steps = {
        "ATTESTED": repository,
        "COSIGN": str(shop.programs["cosign"]),
        "DIGEST": digest,
        "GRYPE": str(shop.programs["grype"]),
        "HOST": shop.host,
        "PYTHON": sys.executable,
        "REPOSITORY": repository,
        "TRIVY": str(shop.programs["trivy"]),
    }

    def check() -> Cost:
        shop.forget()
        return scene.timed(shop.check(reference))

    def pull() -> Cost:
        target = shop.root / "pulled-alone"
        shutil.rmtree(target, ignore_errors=True)
        return scene.timed([sys.executable, "-m", "bench.pull", shop.host, repository, digest, str(target)])

    trivy = [str(shop.programs["trivy"]), "image", "--input", layout, "--output", "alone.json", *flags]
    grype = [str(shop.programs["grype"]), f"oci-dir:{layout}", *report]
    return {
        "check": check,
        "trivy": lambda: scene.timed(trivy),
        "grype": lambda: scene.timed(grype),
        "pull": pull,
        "script": lambda: scene.timed(["sh", str(_SCRIPT)], settings=steps),
    }


def same_again(shop: Shop, rounds: int) -> list[Line]:
    """Measure a check of a digest whose verdict stands, beside what the interpreter alone takes."""
    shop.forget()
    shop.scene.timed(shop.check(shop.reference(SMALL_MB)))
    times = take_turns(
        {
            "again": lambda: shop.scene.timed(shop.check(shop.reference(SMALL_MB))),
            "verify": lambda: shop.scene.timed(_demand(shop)),
            "imports": lambda: shop.scene.timed([sys.executable, "-c", "import gate.pipeline.check"]),
            "python": lambda: shop.scene.timed([sys.executable, "-c", "pass"]),
        },
        rounds,
    )
    return [
        Line(what="`gate check` of the same digest, nothing changed", seen=times["again"].median, unit="s", aim=0.3),
        Line(what="… of it loading the modules that a check needs", seen=times["imports"].median, unit="s"),
        Line(what="… of it Python itself", seen=times["python"].median, unit="s"),
        Line(what="`gate verify` among the verdicts of all checks above", seen=times["verify"].median, unit="s"),
    ]


def memory(shop: Shop) -> list[Line]:
    """Measure the most memory of the gate's own process for a first check of each size."""
    lines = []
    for size in SIZES_MB:
        shop.forget()
        peak = shop.root / f"peak-{size}"
        command = [sys.executable, "-m", "bench.memory", str(peak), *shop.check(shop.reference(size))[1:]]
        shop.scene.timed(command)
        seen = int(peak.read_text(encoding="ascii")) * 1024 / 1e6
        what = f"most memory of the gate's own process, image of {size} MB"
        lines.append(Line(what=what, seen=seen, unit="MB", aim=_MEMORY_LIMIT_MB))
    return lines


def deploy(shop: Shop, rounds: int) -> list[Line]:
    """Measure the demand of a verdict, beside Cosign's verification of the same attestation."""
    shop.forget()
    shop.scene.timed(shop.check(shop.reference(SMALL_MB)))
    reference, key = shop.reference(SMALL_MB), ("--key", "keys/gate.pub")
    cosign = [str(shop.programs["cosign"]), "verify-attestation", *key, "--insecure-ignore-tlog"]
    times = take_turns(
        {
            "gate": lambda: shop.scene.timed(_demand(shop)),
            "cosign": lambda: shop.scene.timed([*cosign, "--type", _SUMMARY_TYPE, reference]),
            "help": lambda: shop.scene.timed([GATE, "--help"]),
        },
        rounds,
    )
    return [
        Line(what="`gate verify` by key, from the registry", seen=times["gate"].median, unit="s", aim=0.2),
        Line(what="`cosign verify-attestation` of the same", seen=times["cosign"].median, unit="s"),
        Line(what="`gate --help`", seen=times["help"].median, unit="s", aim=0.12),
    ]


def _demand(shop: Shop) -> list[str]:
    where = ("--policy", "policy.yaml", "--environment", "production")
    return [GATE, "verify", shop.reference(SMALL_MB), "--key", "keys/gate.pub", *where]
