"""Build the pinned real programs that tests and the demo start: `python -m tools.build NAME...`.

The recipe is data (`tools.lock.yaml`), the modules are pinned by `tools/NAME/go.mod` and `go.sum`. A program is kept
outside the checkout under the digest of everything that decides what it is, so a second run costs nothing, and an
older checkout finds its own build again. This is for the project's own work; users install with `gate tools install`,
which reads the same recipe.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tools.go import GoError, go_program

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
LOCK_FILE = ROOT / "tools.lock.yaml"
SCHEMA = 1
# Settings of the caller that change what Go builds; only a recipe may set them.
DECIDING_VARIABLES = frozenset({"GOARCH", "GOEXPERIMENT", "GOOS", "GOWORK"})


class BuildError(Exception):
    """A program cannot be built; the text says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one program is built: all that decides its bytes, beside Go itself."""

    name: str
    version: str
    module_dir: Path
    package: str
    arguments: tuple[str, ...]
    environment: dict[str, str]

    def digest(self) -> str:
        """Return the hex sha256 over the pinned modules and the build's settings."""
        settings = {
            "arguments": self.arguments,
            "environment": dict(sorted(self.environment.items())),
            "package": self.package,
        }
        summed = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        for name in ("go.mod", "go.sum"):
            content = (self.module_dir / name).read_bytes()
            summed.update(b"\0" + name.encode() + len(content).to_bytes(8, "big") + content)
        return summed.hexdigest()


def read_recipes(lock_file: Path = LOCK_FILE) -> dict[str, Recipe]:
    """Return each program's name → its recipe, as the lock file says."""
    document = yaml.safe_load(lock_file.read_text(encoding="utf-8"))
    if document["schema"] != SCHEMA:
        raise BuildError(f"{lock_file.name}: expected schema {SCHEMA}, saw {document['schema']}")
    common = document["go"]
    recipes = {}
    for name, program in document["programs"].items():
        build = program["build"]
        recipes[name] = Recipe(
            name=name,
            version=program["version"],
            module_dir=lock_file.parent / build["module_dir"],
            package=build["package"],
            arguments=(*common["flags"], "-ldflags", build["ldflags"]),
            environment={**common["environment"], **build["environment"]},
        )
    return recipes


def tools_dir() -> Path:
    """Return the folder of all builds: `GATE_TEST_TOOLS_DIR`, else in the user's cache."""
    if chosen := os.environ.get("GATE_TEST_TOOLS_DIR"):
        return Path(chosen)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "supply-chain-gate" / "tools"


def built_path(recipe: Recipe) -> Path:
    """Return the path at which this recipe's program stands once it is built."""
    return tools_dir() / recipe.name / recipe.digest() / recipe.name


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path`: a second run waits instead of building the same again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(recipe: Recipe) -> Path:
    """Return the path of the built program, building it if it is not there; raise BuildError with Go's last words."""
    path = built_path(recipe)
    if path.exists():
        return path
    with exclusive(tools_dir() / recipe.name / ".lock"):
        if not path.exists():
            say(f"{recipe.name} {recipe.version}: building (takes minutes the first time)")
            started = time.monotonic()
            with still_running(recipe.name):
                compile_program(recipe, path)
            size = path.stat().st_size / 1_000_000
            say(f"{recipe.name} {recipe.version}: built in {time.monotonic() - started:.0f} s, {size:.0f} MB")
    return path


@contextlib.contextmanager
def still_running(name: str, every: float = 30.0) -> Iterator[None]:
    """Say every half minute that a build goes on: a compiler says nothing itself."""
    started, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(every):
            say(f"{name}: still building, {time.monotonic() - started:.0f} s")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def compile_program(recipe: Recipe, path: Path) -> None:
    """Compile into a temporary folder beside `path` and rename: `path` is whole or not there."""
    go = go_program()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".build-") as scratch:
        program = Path(scratch) / recipe.name
        run = subprocess.run(
            [str(go), "build", *recipe.arguments, "-o", str(program), recipe.package],
            cwd=recipe.module_dir,
            env=neutral_environment() | {"GOTOOLCHAIN": "local"} | recipe.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            text=True,
        )
        if run.returncode != 0:
            raise BuildError(f"{recipe.name}: go build ended with {run.returncode}:\n{run.stderr[-4000:]}")
        program.replace(path)


def neutral_environment() -> dict[str, str]:
    """Return the caller's environment (proxies, module cache) without what would change the build."""
    return {name: value for name, value in os.environ.items() if name not in DECIDING_VARIABLES}


def say(text: str) -> None:
    """Tell the person who waits; standard output stays free for the paths."""
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the named programs, or all, and print each one's path."""
    recipes = read_recipes()
    parser = argparse.ArgumentParser(prog="python -m tools.build", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(recipes)} (default: all)")
    names = parser.parse_args(arguments).names or list(recipes)
    if unknown := sorted(set(names) - set(recipes)):
        parser.error(f"not in {LOCK_FILE.name}: {', '.join(unknown)}; it has {', '.join(recipes)}")
    try:
        for name in names:
            path = build(recipes[name])
            say(f"{name} {recipes[name].version}: ready")
            print(path, flush=True)
    except (BuildError, GoError) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
