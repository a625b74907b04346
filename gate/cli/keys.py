"""`gate keys`: key pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from gate.admin.keys import generate_key_pair, write_public_key
from gate.cli.commands import Group
from gate.cli.common import Common, common_options, key_password_option
from gate.cli.environment import password_source
from gate.cli.types import PLACE
from gate.report.content import Listing
from gate.signers.uri import signer_for

_COLUMNS: Final = ("private", "public", "key")
_PUBLIC: Final = ("public", "algorithm", "key")


@click.group(cls=Group)
def keys() -> None:
    """Make keys that sign."""


@keys.command()
@click.argument("directory", type=PLACE, default=Path())
@click.option(
    "--name", default="gate", envvar="GATE_NAME", help="The files' name: NAME.key and NAME.pub.  [default: gate]"
)
@key_password_option
@common_options
def generate(common: Common, directory: Path, name: str, key_password_file: Path | None) -> None:
    """Make a P-256 key pair in Cosign's encrypted form.

    The files are written into DIRECTORY (the working directory; made if it is missing) and never over existing ones. The
    password comes from --key-password-file, GATE_KEY_PASSWORD, COSIGN_PASSWORD or a prompt; it may be empty.
    """
    password = password_source(key_password_file, confirm=True)()
    pair = generate_key_pair(directory, password, name=name)
    common.say_next(f"gate check REF -p policy.yaml --key {pair.private_path}   (a policy: `gate policy init`)")
    row = (str(pair.private_path), str(pair.public_path), pair.public_key.key_id)
    common.finish(Listing(kind="keys", columns=_COLUMNS, rows=(row,)))


@keys.command()
@click.argument("file", type=PLACE)
@click.option("--key", required=True, envvar="GATE_KEY", help="The private key: a file or a key URI.")
@key_password_option
@common_options
def public(common: Common, file: Path, key: str, key_password_file: Path | None) -> None:
    """Write the public half of any key, also of one that a service or a module holds.

    FILE is what policies name and `gate verify --key` takes; an existing one is not written over.
    """
    found = signer_for(key, password_source(key_password_file), offline=common.offline).public_key
    write_public_key(file, found)
    common.finish(Listing(kind="keys", columns=_PUBLIC, rows=((str(file), found.algorithm.value, found.key_id),)))
