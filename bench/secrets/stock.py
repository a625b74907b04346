"""Images of stock software, made from the registries by their own clients: where nothing, or little, may be found.

Each is an OCI layout (`images/NAME`), which the gate reads as it reads every image, and the same files unpacked (`files/NAME`),
for tools that read folders. What a client is missing for is said and left out.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.secrets.stock_images import StockImage
from tools.images.layout import ImageConfig, Layer, image, layer_of_tar, write_layout

IMAGES_FOLDER: Final = "images"
FILES_FOLDER: Final = "files"
_CREATED: Final = datetime(2026, 1, 1, tzinfo=UTC)
_SUITE: Final = "bookworm"
_DOWNLOAD: Final = (sys.executable, "-m", "pip", "download", "--quiet")
_PIP: Final = (
    *_DOWNLOAD, "--only-binary=:all:", "--python-version=311",
    "--implementation=cp", "--platform=manylinux_2_28_x86_64", "--platform=manylinux2014_x86_64",
)  # fmt: skip
_COMPILE: Final = ("-q", "-q", "--invalidation-mode", "unchecked-hash")


def build_stock(folder: Path, images: Iterable[StockImage]) -> tuple[str, ...]:
    """Make what is not there yet, and give the names of the images that are there."""
    made = []
    for one in images:
        missing = missing_programs(one)
        if missing:
            print(f"stock: {missing} is not here, so {one.name} is left out")
            continue
        if not (folder / IMAGES_FOLDER / one.name).exists():
            print(f"stock: making {one.name}", flush=True)
            _make(folder, folder / "downloads" / one.name, one)
        made.append(one.name)
    return tuple(made)


def missing_programs(one: StockImage) -> str:
    """Return the names of the programs that an image needs and that are not there, or ""."""
    wanted = {"mmdebstrap": True, "npm": bool(one.npm), "mvn": bool(one.jars), "go": bool(one.modules)}
    return ", ".join(program for program, is_wanted in wanted.items() if is_wanted and shutil.which(program) is None)


def image_layers(kept: Path, one: StockImage) -> list[Layer]:
    """Return the layers of an image: Debian's packages, and what the registries of languages add; downloads stay in `kept`."""
    return _layers(kept, *_laid_out(kept, one))


def _layers(kept: Path, base: Path, added: Path) -> list[Layer]:
    return [layer_of_tar(path.read_bytes(), level=1) for path in (base, *_packed(kept, added))]


def _laid_out(kept: Path, one: StockImage) -> tuple[Path, Path]:
    kept.mkdir(parents=True, exist_ok=True)
    base = _debian(kept.parent, one)
    added = kept / "added"
    shutil.rmtree(added, ignore_errors=True)
    _install(kept, added, one)
    return base, added


def _make(folder: Path, kept: Path, one: StockImage) -> None:
    base, added = _laid_out(kept, one)
    files = folder / FILES_FOLDER / one.name
    shutil.rmtree(files, ignore_errors=True)
    with tarfile.open(base) as tar:
        # Devices cannot be made by everybody, and hold nothing.
        tar.extractall(files, [member for member in tar if member.isreg() or member.isdir()], filter="tar")
    shutil.copytree(added, files, dirs_exist_ok=True)
    layers = _layers(kept, base, added)
    unfinished = folder / IMAGES_FOLDER / f".{one.name}"
    shutil.rmtree(unfinished, ignore_errors=True)
    write_layout(unfinished, image(layers, ImageConfig(created=_CREATED)))
    unfinished.rename(folder / IMAGES_FOLDER / one.name)


def _debian(kept: Path, one: StockImage) -> Path:
    """Return the archive of a root with these packages, made once for all images that have the same."""
    include = f"--include={','.join(one.debian)}"
    name = hashlib.sha256(f"{one.variant} {include}".encode()).hexdigest()[:16]
    archive = kept / f"debian-{name}.tar"
    if not archive.exists():
        unfinished = kept / f"unfinished-{name}.tar"
        _run(["mmdebstrap", "--quiet", f"--variant={one.variant}", include, _SUITE, str(unfinished)])
        unfinished.rename(archive)
    return archive


def _install(kept: Path, root: Path, one: StockImage) -> None:
    """Lay out what the registries of languages add, as their installers would."""
    root.mkdir()
    if one.wheels:
        packages = root / "usr/local/lib/python3.11/dist-packages"
        alone = [] if one.resolve else ["--no-deps"]
        wheels = _downloaded(kept / "wheels", [[*_PIP, *alone, *one.wheels]])
        for path in wheels:
            _unzip(path, packages)
        # As pip does: what stands in a docstring stands in the compiled file, too.
        compiled = [*_COMPILE, "-s", str(root), "-p", "/", str(packages)]
        subprocess.run([sys.executable, "-m", "compileall", *compiled], check=False, stdout=subprocess.DEVNULL)
    if one.npm and one.resolve:
        (root / "app").mkdir(parents=True)
        (root / "app/package.json").write_text('{"name": "app", "private": true}\n', encoding="utf-8")
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(root / "app")]
        _run(["npm", "install", *options, *one.npm])
    elif one.npm:
        command = ["npm", "pack", "--silent", "--pack-destination", str(kept / "npm"), *one.npm]
        for path in _downloaded(kept / "npm", [command]):
            with tarfile.open(path) as tar:
                # What lies in `package/` of the archive is the package's folder, as npm lays it out.
                members = [member.replace(name=member.name.partition("/")[2], deep=False) for member in tar]
                target = root / "app/node_modules" / path.stem.rpartition("-")[0]
                tar.extractall(target, [member for member in members if member.name], filter="data")
    if one.jars:
        copy = ["mvn", "-q", "-B", "dependency:copy", f"-DoutputDirectory={kept / 'jars'}"]
        for path in _downloaded(kept / "jars", [[*copy, f"-Dartifact={jar}"] for jar in one.jars]):
            (root / "app/lib").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, root / "app/lib" / path.name)
    if one.sources:
        command = [*_DOWNLOAD, "--no-deps", "--no-binary=:all:", *one.sources]
        for path in _downloaded(kept / "sources", [command]):
            with tarfile.open(path) as tar:
                tar.extractall(root / "app", filter="data")
    if one.modules:
        cache = kept / "modules"
        if not cache.exists():
            _run(["go", "mod", "download", *one.modules], GOMODCACHE=str(cache), GOFLAGS="-modcacherw")
        shutil.copytree(cache, root / "root/go/pkg/mod")


def _downloaded(folder: Path, commands: list[list[str]]) -> list[Path]:
    """Return what the commands put into the folder; they run once."""
    if not (folder / ".complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for command in commands:
            _run([*command, "--dest", str(folder)] if "pip" in command else command)
        (folder / ".complete").touch()
    return sorted(path for path in folder.iterdir() if path.name != ".complete")


def _packed(kept: Path, added: Path) -> list[Path]:
    """Return the layer of what was added, the same bytes for the same files; none where nothing was."""
    if not any(added.iterdir()):
        return []
    archive = kept / "added.tar"
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(added.rglob("*")):
            tar.add(path, path.relative_to(added).as_posix(), recursive=False, filter=_plain)
    return [archive]


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(_CREATED.timestamp())
    return member


def _unzip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)  # noqa: S202 - zipfile keeps members inside the folder


def _run(command: list[str], **environment: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, **environment})
