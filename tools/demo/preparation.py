"""What stands before the first check: scanners, databases, keys, a pinned policy, images in a registry, signatures."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gate.model.reference import Repository
from tools.advisories import build_databases
from tools.demo.story import LEFT_OUT, Shop
from tools.images.catalog import WRONG, build_images
from tools.images.parts import default_cache
from tools.images.push import push_layout

if TYPE_CHECKING:
    from tools.demo.workspace import Answer, Workspace

HERE: Final = Path(__file__).parent
UNSIGNED: Final = frozenset({"unsigned"})
STALE: Final = timedelta(days=30)
_OFFLINE: Final = ("--tlog-upload=false", "--use-signing-config=false", "--yes")

Show = Callable[[str, "Answer"], None]


def prepare_tools(workspace: Workspace, show: Show) -> None:
    """Install the pinned scanners, and import databases of now and of last month."""
    show("The pinned scanners", workspace.must("gate", "tools", "install", inherited=True))
    now = datetime.now(UTC)
    for folder, built in (("databases", now), ("databases-of-last-month", now - STALE)):
        advisories = build_databases(workspace.root / f"advisories/{folder}", built, None)
        archive = advisories.out / "artifacts/grype/v6/vulnerability-db.tar.gz"
        for source in (advisories.out / "trivy", archive):
            place = source.relative_to(workspace.root)
            workspace.must("gate", "db", "import", str(place), "--db-dir", folder)
    show("Small real databases for both, of a few hundred real advisories", workspace.must("gate", "db", "status"))


def prepare_keys(workspace: Workspace, show: Show) -> None:
    """Make the keys: one signs verdicts and nothing else, the other is the build's."""
    workspace.password = secrets.token_hex(16)
    path = workspace.root / "password"
    path.touch(mode=0o600)
    path.write_text(workspace.password, encoding="ascii")
    show(
        "A key for verdicts, and one for the build",
        workspace.must("gate", "keys", "generate", "keys", "--name", "gate"),
    )
    workspace.must("gate", "keys", "generate", "keys", "--name", "build")


def prepare_policy(workspace: Workspace, host: str, show: Show) -> None:
    """Write the policy and the requirement with the demo's own keys and registry; pin what the policy points to."""
    for name in ("policy.yaml", "requirement.yaml"):
        text = (HERE / name).read_text(encoding="utf-8").replace("HOST", host)
        (workspace.root / name).write_text(text, encoding="utf-8")
    show("The policy, pinned to the build's key", workspace.must("gate", "policy", "pin", "policy.yaml"))
    workspace.must("gate", "policy", "validate", "policy.yaml", "requirement.yaml")
    pinned = (workspace.root / "policy.yaml").read_text(encoding="utf-8")
    stricter = pinned.replace("failOn: high", "failOn: medium")
    (workspace.root / "stricter.yaml").write_text(stricter, encoding="utf-8")


def prepare_repository(workspace: Workspace, host: str) -> None:
    """Write a repository in small, whose files name the shop's image by its tag."""
    files = {
        "Dockerfile": f"ARG BASE={host}/shop/web:latest\nFROM ${{BASE}} AS base\nFROM base\n",
        "deploy/web.yaml": (
            "apiVersion: apps/v1\nkind: Deployment\nspec:\n  template:\n    spec:\n      containers:\n"
            f'        - image: "{host}/shop/web:latest"   # what runs\n'
        ),
        "compose.yaml": f"services:\n  web: {{image: {host}/shop/web}}\n",
    }
    for name, text in files.items():
        path = workspace.root / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def prepare_images(workspace: Workspace, host: str) -> Shop:
    """Build every image as of now and push it, as a build would."""
    names = [name for name in WRONG if name not in LEFT_OUT]
    built = build_images(workspace.root / "images", datetime.now(UTC), default_cache(), only=names)
    shop = Shop(host=host, digests={name: image.digest for name, image in built.items()})
    for name, image in built.items():
        push_layout(image.layout, Repository(host, shop.repository(name)), tag="latest")
    return shop


def sign_images(workspace: Workspace, shop: Shop, show: Show) -> None:
    """Sign all but one with the build's key: with Cosign in both of its formats, the rest with the gate."""
    key = ("--key", "keys/build.key")
    by_cosign = {"clean": "--new-bundle-format=false", "index-good": "--new-bundle-format=true"}
    for name, form in by_cosign.items():
        title = f"Cosign signs, {'in its older format' if form.endswith('false') else 'as a bundle'}"
        show(title, workspace.must("cosign", "sign", *key, form, *_OFFLINE, shop.reference(name)))
    rest = [name for name in shop.digests if name not in UNSIGNED | by_cosign.keys()]
    for name in rest:
        answer = workspace.must("gate", "sign", shop.reference(name), *key)
        if name == rest[0]:
            show(f"`gate sign` signs the same way, and then {len(rest) - 1} more; one stays unsigned", answer)
