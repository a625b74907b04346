"""A real SoftHSM2 with one token, in the test's own folder: keys are made inside it and never leave."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.programs import absent, installed_program

PIN: Final = "271828"
TOKEN: Final = "gate tests"
_MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftHsm:
    """A token; `module` is the library that a URI names."""

    module: Path

    def uri(self, label: str, *, token: str = TOKEN, query: str = "") -> str:
        escaped = token.replace(" ", "%20")
        return f"pkcs11:token={escaped};object={label}?module-path={self.module}{query}"


def softhsm_module() -> Path:
    """Return the module's path; a machine without it skips the test, or fails it in CI."""
    found = [Path(name) for name in _MODULES if Path(name).exists()]
    return found[0] if found else absent("softhsm2", "run `apt-get install softhsm2`")


@contextmanager
def softhsm(directory: Path) -> Iterator[SoftHsm]:
    """Make a token, by SoftHSM's own program; the module finds it by SOFTHSM2_CONF, which it reads once a process."""
    module = softhsm_module()
    program = installed_program("softhsm2-util", "run `apt-get install softhsm2`")
    tokens = directory / "tokens"
    tokens.mkdir()
    configuration = directory / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    before = os.environ.get("SOFTHSM2_CONF")
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    try:
        subprocess.run(
            [program, "--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "31415926"],
            check=True, capture_output=True, timeout=60,
        )  # fmt: skip
        yield SoftHsm(module=module)
    finally:
        os.environ.pop("SOFTHSM2_CONF")
        if before is not None:
            os.environ["SOFTHSM2_CONF"] = before
