"""One installation of the gate for a whole test run: pinned scanners, databases of today, the demo's images, keys, a policy.

Made once and shared by every test and every xdist worker: what each test has of its own is its record. The cache of blobs and
evidence is shared too, so that an image is scanned once in a run; a test that needs a cold cache says so.
"""

from __future__ import annotations

import fcntl
import functools
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from gate.admin.databases import import_databases
from gate.admin.keys import generate_key_pair
from gate.admin.tools import verify_tools
from gate.clock import Deadline
from gate.codec.keys import parse_public_key
from gate.disk.content import hash_descriptor
from gate.model.digest import Digest
from gate.model.reference import Repository
from gate.model.signer import PublicKey
from gate.pipeline.options import CheckOptions
from gate.pipeline.sign import sign
from gate.pipeline.verify_options import VerifyOptions
from gate.registry.options import RegistryOptions
from gate.scanners.tool_pins import USER_LOCK_VERSION, ToolPlaces, read_tool_lock, this_platform
from gate.settings.locations import Places
from gate.signers.signer import Signer
from gate.signers.uri import signer_for
from tests.support.policies import policy_document
from tests.support.programs import Tools
from tools.advisories.build import build_databases
from tools.images.catalog import WRONG, build_images
from tools.images.parts import default_cache
from tools.images.push import push_layout

PASSWORD: Final = "correct horse battery"
# The keys: of the gate's verdicts, of its FAILED ones where they have their own, of the build, of nobody known.
KEYS: Final = ("gate", "fail", "build", "stranger")
SHOP: Final = "registry.example/shop"
VERIFIER: Final = "https://gate.shop.example/ci"
_SCANNERS: Final = ("trivy", "grype")

__all__ = ["KEYS", "PASSWORD", "SHOP", "VERIFIER", "Installation", "installation", "shop_policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Where everything is; `digests` maps the name of each image to its digest. Nothing here may be changed by a test."""

    root: Path
    digests: Mapping[str, Digest]

    @property
    def policy(self) -> Path:
        """Return the policy of the shop: everything that this release can ask, a signature by the build's key among it."""
        return self.root / "policy.yaml"

    @property
    def tools(self) -> Path:
        return self.root / "tools"

    @property
    def databases(self) -> Path:
        return self.root / "databases"

    def places(self, own: Path, *, cold: bool = False) -> Places:
        """Return the places of a test whose record is below `own`; `cold` gives a cache of its own as well."""
        shared = own if cold else self.root
        return Places(
            cache=shared / "cache",
            databases=self.databases,
            tools=self.tools,
            state=shared / "state",
            record=str(own / "record.db"),
            evidence=shared / "evidence",
        )

    def options(self, own: Path, *, cold: bool = False, **changes: Any) -> CheckOptions:  # noqa: ANN401 - fields of the options
        """Return options with the shop's policy and the gate's key; a change of `signer` to None only judges."""
        options = CheckOptions(
            places=self.places(own, cold=cold), policy=self.policy, signer=self.signer(), timeout=timedelta(minutes=5)
        )
        return replace(options, **changes)

    def demands(self, own: Path, **changes: Any) -> VerifyOptions:  # noqa: ANN401 - fields of the options
        """Return what the production stage demands of a verdict under the shop's policy."""
        options = VerifyOptions(
            places=self.places(own),
            keys=(self.public_key(),),
            policies=frozenset({Digest.of(self.policy.read_bytes())}),
            environment="production",
        )
        return replace(options, **changes)

    def layout(self, name: str) -> Path:
        """Return the layout of an image, to read."""
        return self.root / "images" / name

    def copy(self, name: str, target: Path) -> Path:
        """Copy the layout of an image, signed by the build where the shop's images are, to write into."""
        return shutil.copytree(self.layout(name), target)

    def private_key(self, name: str = "gate") -> Path:
        return self.root / "keys" / f"{name}.key"

    def public_key_file(self, name: str = "gate") -> Path:
        return self.root / "keys" / f"{name}.pub"

    def public_key(self, name: str = "gate") -> PublicKey:
        return parse_public_key(self.public_key_file(name).read_bytes())

    def signer(self, name: str = "gate") -> Signer:
        return _opened(str(self.private_key(name)))

    def sign(self, reference: str, registry: RegistryOptions | None = None, *, key: str = "build") -> None:
        """Sign an image as the build does."""
        sign(reference, signer=self.signer(key), annotations={}, registry=registry or RegistryOptions())

    def push(
        self,
        name: str,
        host: str,
        *,
        repository: str = "",
        registry: RegistryOptions | None = None,
        signed: bool = True,
    ) -> str:
        """Push an image as the build does, under `latest`, and give its reference by digest."""
        target = Repository(host, repository or f"shop/{name}")
        digest = push_layout(self.layout(name), target, tag="latest", options=registry)
        reference = f"{target}@{digest}"
        if signed:
            self.sign(reference, registry)
        return reference


@functools.cache
def _opened(path: str) -> Signer:
    # Deriving the key from the password takes 0.2 s.
    return signer_for(path, PASSWORD.encode)


def shop_policy(installed: Installation, **spec: object) -> bytes:
    """Return the shop's policy with some sections replaced; None takes one away."""
    sections: dict[str, object] = {
        "signature": [
            {
                "images": "**",
                "anyOf": [{"key": {"pem": installed.public_key_file("build").read_text(encoding="utf-8")}}],
            }
        ],
        "vulnerabilities": {"failOn": "high", "databaseMaxAge": "48h"},
        "secrets": {"failOn": "any"},
        "image": {
            "user": "non-root",
            "maxAge": "60d",
            "revision": "required",
            "ports": {"deny": ["22/tcp"]},
            "setuid": {"allow": []},
        },
        "attest": {"verifierId": VERIFIER, "maxAge": "7d", "environments": ["staging", "production"]},
    }
    kept = {name: section for name, section in (sections | spec).items() if section is not None}
    return json.dumps(policy_document(**kept), indent=1).encode()


def installation(shared: Path, tools: Tools) -> Installation:
    """Return the installation below a folder that all workers of this test run share; the first one makes it."""
    root = shared / "gate-installation"
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        finished = root / "digests.json"
        if not finished.exists():
            finished.write_text(json.dumps(_make(root, tools)), encoding="utf-8")
        digests = json.loads(finished.read_text(encoding="utf-8"))
    return Installation(root=root, digests={name: Digest(digest) for name, digest in digests.items()})


def _make(root: Path, tools: Tools) -> dict[str, str]:
    now = datetime.now(UTC)
    _install_scanners(root / "tools", tools)
    _import_databases(root, now)
    (root / "keys").mkdir(exist_ok=True)
    for name in KEYS:
        generate_key_pair(root / "keys", PASSWORD.encode(), name=name)
    installed = Installation(root=root, digests={})
    installed.policy.write_bytes(shop_policy(installed))
    built = build_images(root / "images", now, default_cache())
    for name in WRONG:
        if name != "unsigned":
            installed.sign(f"oci:{built[name].layout}")
    return {name: image.digest for name, image in built.items()}


def _install_scanners(folder: Path, tools: Tools) -> None:
    """Pin the programs that are built already, as `gate tools install` pins what it built itself."""
    folder.mkdir(exist_ok=True)
    pins = []
    for name, program in zip(_SCANNERS, (tools.trivy, tools.grype), strict=True):
        (folder / name).symlink_to(program)
        with program.open("rb") as file:
            digest = hash_descriptor(file.fileno())
        pins.append(
            {
                "name": name,
                "version": read_tool_lock()[name].version,
                "platform": this_platform(),
                "digest": str(digest),
                "origin": "built",
                "detail": "by the tests",
            }
        )
    lock = folder / "tools.lock.json"
    lock.write_text(json.dumps({"version": USER_LOCK_VERSION, "tools": pins}), encoding="utf-8")
    lock.chmod(0o600)


def _import_databases(root: Path, now: datetime) -> None:
    built = build_databases(root / "advisories", now)
    places = ToolPlaces(tools_dir=root / "tools", user_lock=root / "tools" / "tools.lock.json")
    grype = verify_tools(("grype",), places)[0]
    deadline = Deadline.after(timedelta(minutes=2))
    for source, tool in ((built.trivy_cache, None), (built.grype_database, grype)):
        assert source is not None
        import_databases(root / "databases", source, digest=None, grype=tool, deadline=deadline)
