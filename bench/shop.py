"""What is measured on: pinned programs, databases of now, two large images in a real registry, signed by a build's key."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.timing import Scene
from gate.model.reference import Repository
from gate.scanners.grype import SETTINGS
from gate.scanners.trivy import ALLOW_RULES
from gate.scanners.trivy import trivy_flags as flags_of_the_gate
from tools.advisories import build_databases
from tools.build import ROOT, tools_dir
from tools.demo.registry import running_registry
from tools.demo.workspace import built_programs, scanners_dir
from tools.images.large import build_large
from tools.images.parts import default_cache
from tools.images.push import push_layout

SIZES_MB: Final = (160, 1000)
# No check of the benchmarks' policy asks how old an image is; a fixed time keeps the built ones usable.
_CREATED: Final = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
_CLEARED: Final = ("cache/images", "cache/evidence", "state", "evidence")
_KEPT: Final = ("LANG", "LC_ALL", "SSL_CERT_FILE", "TMPDIR")
GATE: Final = str(Path(sys.executable).parent / "gate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """Where everything is; `digests` gives the digest of the image of each size, `layouts` where it is on disk."""

    scene: Scene
    host: str
    digests: Mapping[int, str]
    layouts: Mapping[int, Path]
    programs: Mapping[str, Path]

    @property
    def root(self) -> Path:
        """Return the folder of this run."""
        return self.scene.directory

    def reference(self, size_mb: int) -> str:
        """Return the reference of an image."""
        return f"{self.host}/shop/large-{size_mb}@{self.digests[size_mb]}"

    def check(self, reference: str, *more: str) -> list[str]:
        """Return the command that judges, signs and attaches."""
        return [GATE, "check", reference, "-p", "policy.yaml", "--key", "keys/gate.key", *more]

    def forget(self) -> None:
        """Remove what a first check does not find: blobs, evidence and record; what canaries have shown stays."""
        for name in _CLEARED:
            shutil.rmtree(self.root / name, ignore_errors=True)
        for path in self.root.glob("record.db*"):
            path.unlink()


@contextmanager
def open_shop(root: Path) -> Iterator[Shop]:
    """Set everything up below `root`, an empty folder, and run the registry as long as the shop is open."""
    programs = built_programs(("olareg", "cosign")) | {name: scanners_dir() / name for name in ("trivy", "grype")}
    scene = Scene(directory=root, environment=environment_of(root, programs))
    inherited = dict(os.environ)
    scene.timed([GATE, "tools", "install"], settings={**inherited, **scene.environment, "HOME": str(Path.home())})
    _make_keys(scene)
    import_databases(scene, programs["grype"])
    layouts = {size: large_image(size) for size in SIZES_MB}
    with running_registry(programs["olareg"], root / "registry") as host:
        digests = {size: _push(layout, host, size) for size, layout in layouts.items()}
        shop = Shop(scene=scene, host=host, digests=digests, layouts=layouts, programs=programs)
        _write_policy(shop)
        for size in SIZES_MB:
            scene.timed([GATE, "sign", shop.reference(size), "--key", "keys/build.key"])
        yield shop


def large_image(size_mb: int) -> Path:
    """Return the layout of an image of this size, kept outside the checkout."""
    folder = tools_dir().parent / "bench"
    layout = folder / f"large-{size_mb}"
    if not (layout / "index.json").exists():
        print(f"bench: building an image of {size_mb} MB", file=sys.stderr, flush=True)
        build_large(folder, _CREATED, default_cache(), megabytes=size_mb)
    return layout


def environment_of(root: Path, programs: Mapping[str, Path]) -> dict[str, str]:
    """Return the environment of a gate whose places are below `root`, with these pinned scanners."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {
        **kept,
        **SETTINGS,
        "COSIGN_PASSWORD": "bench",
        "GATE_CACHE_DIR": "cache",
        "GATE_DB_DIR": "databases",
        "GATE_KEY_PASSWORD": "bench",
        "GATE_RECORD": "record.db",
        "GATE_TOOLS_DIR": str(programs["trivy"].parent),
        "GRYPE_DB_CACHE_DIR": str(root / "advisories" / "grype" / "cache"),
        "HOME": str(root / "home"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "TRIVY_FLAGS": " ".join(trivy_flags(root)),
        "XDG_STATE_HOME": str(root / "state"),
    }


def trivy_flags(root: Path) -> list[str]:
    """Return the flags that the gate gives Trivy, with the same databases and rules."""
    rules = root / "trivy-secret.yaml"
    rules.write_text(f"disable-allow-rules: [{', '.join(ALLOW_RULES)}]\n", encoding="utf-8")
    for name in ("trivy.yaml", "grype.yaml"):
        (root / name).write_text("{}\n", encoding="utf-8")
    (root / "empty.ignore").touch()
    own = ("--config", "trivy.yaml", "--ignorefile", "empty.ignore", "--secret-config", rules.name)
    return ["--cache-dir", str(root / "advisories" / "trivy"), *flags_of_the_gate(secrets=False), *own]


def _make_keys(scene: Scene) -> None:
    (scene.directory / "keys").mkdir()
    for name in ("gate", "build"):
        scene.timed([GATE, "keys", "generate", "keys", "--name", name])


def import_databases(scene: Scene, grype: Path) -> None:
    """Build the demonstration databases of this day, and import them."""
    built = build_databases(scene.directory / "advisories", datetime.now(UTC), grype)
    for source in (built.out / "trivy", built.out / "artifacts/grype/v6/vulnerability-db.tar.gz"):
        scene.timed([GATE, "db", "import", str(source)])


def _push(layout: Path, host: str, size_mb: int) -> str:
    return str(push_layout(layout, Repository(host, f"shop/large-{size_mb}"), tag="latest"))


def _write_policy(shop: Shop) -> None:
    text = (Path(__file__).parent / "policy.yaml").read_text(encoding="utf-8").replace("HOST", shop.host)
    (shop.root / "policy.yaml").write_text(text, encoding="utf-8")
    shop.scene.timed([GATE, "policy", "pin", "policy.yaml"])
    (shop.root / "predicate.json").write_text(json.dumps({"verificationResult": "PASSED"}), encoding="utf-8")
