"""What each tool finds in images of stock software, and how much of it is in a file that holds no key.

The gate reads the images as `gate secrets scan` reads every image, all layers of them; its peers read the same files unpacked. A
finding counts as true where the gate, with the list of what is public put aside, finds a private key or a cloud's key in that
file: each such file was looked at by eye (docs/checks/secret.md).
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.secrets.peers import Peer, gate_without_list, run
from bench.secrets.stock import FILES_FOLDER, IMAGES_FOLDER

_KEYS: Final = frozenset(
    {
        "private-key", "encrypted-private-key", "pgp-private-key", "putty-private-key", "wireguard-key", "java-keystore",
        "openvpn-static-key",
        "pkcs12-key", "aws-access-key-id", "aws-secret-access-key",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarms:
    """Of one tool over some images: findings, those in files without a key, places that it could not open.

    `finished` names the images that it came to the end of, `unfinished` the others; `lines` are the findings, without a value.
    """

    findings: int
    false: int
    unopened: int
    finished: tuple[str, ...]
    unfinished: tuple[str, ...]
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """Return a cell of the table."""
        if not self.finished:
            return "not finished"
        only = f" ({', '.join(self.finished)} alone was finished)" if self.unfinished else ""
        return f"{self.findings}, {self.false} false{only}"


def files_with_keys(folder: Path, names: tuple[str, ...]) -> frozenset[str]:
    """Return `IMAGE/PATH` of each file that holds a key, whoever made it public."""
    return frozenset(
        f"{name}/{finding.path}"
        for name in names
        for finding in gate_without_list(folder / FILES_FOLDER / name)
        if finding.rule in _KEYS
    )


def alarms_of_gate(folder: Path, names: tuple[str, ...], keys: frozenset[str]) -> Alarms:
    """Scan the images as a user would."""
    found, unopened = [], 0
    for name in names:
        program = str(Path(sys.executable).with_name("gate"))
        command = [program, "secrets", "scan", f"oci:{folder / IMAGES_FOLDER / name}", "-f", "json", "--timeout", "30m"]
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE)
        for row in json.loads(done.stdout)["secrets"]:
            if row["state"] == "found":
                found.append((f"{name}/{row['location']}", row["rule"]))
            else:
                unopened += 1
    return _alarms(found, keys, names, unopened=unopened)


def alarms_of_peer(peer: Peer, folder: Path, names: tuple[str, ...], keys: frozenset[str]) -> Alarms:
    """Run a peer over the unpacked files of each image."""
    found, late = [], []
    for name in names:
        try:
            result = run(peer, folder / FILES_FOLDER / name)
        except subprocess.TimeoutExpired:
            late.append(name)
            continue
        found += [(f"{name}/{one.path}", one.rule) for one in result.findings]
    return _alarms(found, keys, tuple(name for name in names if name not in late), unfinished=tuple(late))


def _alarms(
    found: list[tuple[str, str]],
    keys: frozenset[str],
    finished: tuple[str, ...],
    *,
    unopened: int = 0,
    unfinished: tuple[str, ...] = (),
) -> Alarms:
    return Alarms(
        findings=len(found),
        false=sum(path not in keys for path, _ in found),
        unopened=unopened,
        finished=finished,
        unfinished=unfinished,
        lines=tuple(f"{'key' if path in keys else 'FALSE'} {rule} {path}" for path, rule in found),
    )
