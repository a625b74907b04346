"""The real Cosign in a folder of its own, offline, with the passwords of the test registries."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.installation import PASSWORD
from tests.support.registries import RunningRegistry

_SIGNING: Final = ("--tlog-upload=false", "--use-signing-config=false", "--yes")


@dataclass(frozen=True, slots=True)
class Cosign:
    """Cosign as a user has it: a home, a login, a key password."""

    program: Path
    home: Path

    def log_in(self, registry: RunningRegistry) -> None:
        """Write down the registry's account, where it has one, as `docker login` does."""
        basic = base64.b64encode(f"{registry.username}:{registry.password}".encode()).decode()
        auths = {registry.host: {"auth": basic}} if registry.username else {}
        (self.home / ".docker").mkdir(exist_ok=True)
        (self.home / ".docker" / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "COSIGN_PASSWORD": PASSWORD}
        return subprocess.run(
            [str(self.program), *arguments],
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def sign(self, reference: str, key: Path, *, bundle: bool) -> None:
        """Sign an image, as a bundle that hangs on it or under the legacy tag."""
        done = self.run("sign", "--key", str(key), *_SIGNING, f"--new-bundle-format={str(bundle).lower()}", reference)
        assert done.returncode == 0, done.stderr

    def verifies(self, reference: str, key: Path, *options: str, command: str = "verify") -> bool:
        """Say whether Cosign is content with what hangs on an image."""
        return self.run(command, "--key", str(key), "--insecure-ignore-tlog", *options, reference).returncode == 0
