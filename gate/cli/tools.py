"""`gate tools`: the pinned programs that `gate check` starts."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

import click

from gate.admin.tools import InstallOptions, ToolStatus, install_tool, list_tools, verify_tools
from gate.cli.commands import Group
from gate.cli.common import Common, ca_file_option, common_options, tools_dir_option
from gate.cli.environment import download_authority, proxies
from gate.model.trust import PUBLIC
from gate.pipeline.collect.context import tool_places
from gate.report.content import Cell, Listing
from gate.scanners.tool_pins import PinnedTool, read_tool_lock
from gate.trust.store import TrustStore

# Trivy takes six minutes to build on two cores.
_TIME: Final = timedelta(hours=1)
_LISTED: Final = ("tool", "version", "state", "use", "path", "origin", "ways", "problem")
_FOUND: Final = ("tool", "version", "state", "digest", "path")


@click.group(cls=Group)
def tools() -> None:
    """Install, list and verify the pinned scanners."""


@tools.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--mirror", default="", envvar="GATE_MIRROR", help="A base URL under which the releases' files are found."
)
@tools_dir_option
@ca_file_option
@common_options
def install(common: Common, names: tuple[str, ...], mirror: str, tools_dir: Path | None, ca_file: Path | None) -> None:
    """Make sure that the pinned scanners are here.

    Each NAME (without one: the scanners) is taken from --tools-dir or PATH where its digest is pinned, else from its release
    by recorded digest or by its publisher's signed checksums, else built with Go from the pinned modules that ship with the
    gate. What was installed is pinned in your own lock. No program is started whose digest is not pinned.
    """
    places = tool_places(common.places(tools=tools_dir))
    download = replace(
        InstallOptions().download, proxies=proxies(), ca_file=download_authority(ca_file), offline=common.offline
    )
    trust = TrustStore(common.places().state / "trust")

    def root() -> bytes:
        return trust.load(PUBLIC).root

    options = InstallOptions(
        download=download, mirror=mirror, environment=dict(os.environ), say=common.say, trusted_root=root
    )
    chosen = names or tuple(name for name, pin in read_tool_lock().items() if pin.use == "scanner")
    deadline = common.deadline(_TIME)
    found = [install_tool(name, places, options, deadline) for name in chosen]
    common.finish(Listing(kind="tools", columns=_FOUND, rows=tuple(map(_found, found)), state="state"))


@tools.command(name="list")
@tools_dir_option
@common_options
def list_(common: Common, tools_dir: Path | None) -> None:
    """List the pinned programs, where they are and how they could be installed."""
    found = list_tools(tool_places(common.places(tools=tools_dir)))
    common.finish(Listing(kind="tools", columns=_LISTED, rows=tuple(map(_status, found)), state="state"))


@tools.command()
@click.argument("names", metavar="[NAME]...", nargs=-1)
@tools_dir_option
@common_options
def verify(common: Common, names: tuple[str, ...], tools_dir: Path | None) -> None:
    """Hash the scanners anew and compare them with their pins.

    Ends with 3 where a NAME (without one: a scanner) is missing or has a digest that is not pinned.
    """
    found = verify_tools(names, tool_places(common.places(tools=tools_dir)))
    common.finish(Listing(kind="tools", columns=_FOUND, rows=tuple(map(_found, found)), state="state"))


def _found(tool: PinnedTool) -> tuple[Cell, ...]:
    identity = tool.identity
    return identity.name, identity.version, "ok", str(identity.digest), str(tool.path)


def _status(status: ToolStatus) -> tuple[Cell, ...]:
    path = str(status.found.path) if status.found is not None else None
    state = "ok" if status.found is not None else "missing"
    return (
        status.name, status.version, state, status.use, path, status.origin, ", ".join(status.ways), status.problem,
    )  # fmt: skip
