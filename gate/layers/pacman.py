"""The pacman database of Arch Linux: one `desc` file a package in `var/lib/pacman/local`.

Specification: pacman's `lib/libalpm/be_local.c`: `%KEY%` lines, each followed by its values and a blank line.
"""

from __future__ import annotations

from gate.layers.reading import Reading, is_plain, os_package


def parse_desc(body: bytes) -> Reading:
    """Read one package's `desc` from an image (untrusted)."""
    values: dict[str, str] = {}
    lines = iter(body.decode("utf-8", "replace").split("\n"))
    for line in lines:
        if len(line) > 2 and line[0] == line[-1] == "%":
            if line in values:
                return Reading(problem=f"{line[:40]!a} stands twice")
            values[line] = next(lines, "").strip()
    name, version, architecture = values.get("%NAME%", ""), values.get("%VERSION%", ""), values.get("%ARCH%", "")
    if not name or not version or not is_plain(name, version, architecture):
        return Reading(problem="there is no usable name or version")
    return Reading(frozenset({(os_package("alpm", name, version, architecture), values.get("%BASE%", ""))}))
