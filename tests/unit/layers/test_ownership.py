"""What a package of the distribution claims is known from the lists of every kind of database."""

from __future__ import annotations

from typing import Final

import pytest

from tests.support.layers import facts_of
from tests.support.package_kinds import KINDS, Installed, Write
from tools.images.archive import Entry, file, symlink, tar

METADATA: Final = "Metadata-Version: 2.1\nName: six\nVersion: 1.15.0\n\n"
WHEEL: Final = "usr/lib/python3/dist-packages/six-1.15.0.dist-info/METADATA"
OWNER: Final = Installed("python3-six", "1.15.0-9", (WHEEL,))
ALL: Final = pytest.mark.parametrize("write", KINDS.values(), ids=KINDS.keys())


def claims(*layers: list[Entry]) -> set[tuple[str, str, str]]:
    return {(path, owner[0], owner[1]) for path, owner in facts_of(*map(tar, layers)).claims}


@ALL
def test_a_file_in_the_list_of_a_package_is_claimed(write: Write) -> None:
    assert claims([*write((OWNER,), ()), file(WHEEL, METADATA)]) == {(WHEEL, "python3-six", "1.15.0-9")}
    other = Installed("python3-six", "1.15.0-9", ("usr/share/x",))
    assert claims([*write((other,), ()), file(WHEEL, METADATA)]) == set()


@ALL
def test_a_claim_of_another_layer_counts_and_one_that_is_gone_does_not(write: Write) -> None:
    wheel = [file(WHEEL, METADATA)]
    assert claims(wheel, write((OWNER,), ())) == {(WHEEL, "python3-six", "1.15.0-9")}
    assert claims([*write((OWNER,), ()), *wheel], write((), (OWNER,))) == set()


@ALL
def test_a_claim_through_a_linked_folder_counts(write: Write) -> None:
    through = Installed("python3-six", "1.15.0-9", (WHEEL.replace("usr/lib/python3/", "opt/python/"),))
    entries = [*write((through,), ()), file(WHEEL, METADATA), symlink("opt/python", "../usr/lib/python3")]
    assert claims(entries) == {(WHEEL, "python3-six", "1.15.0-9")}


CONFFILES: Final = f"""Package: owner
Status: install ok installed
Architecture: all
Conffiles:
 /etc/x.conf 00000000000000000000000000000000 obsolete
 /{WHEEL} 00000000000000000000000000000000
Version: 1.15.0-9
"""


@pytest.mark.parametrize(
    "entries",
    [
        [file("var/lib/dpkg/status", CONFFILES)],
        [file("var/lib/dpkg/status.d/owner", CONFFILES)],
        [
            file("var/lib/dpkg/status", CONFFILES.replace(WHEEL, "etc/y")),
            file("var/lib/dpkg/info/owner.conffiles", f"/{WHEEL}\n"),
        ],
        [
            file("var/lib/dpkg/status", CONFFILES.replace(WHEEL, "etc/y")),
            file("var/lib/dpkg/info/owner:amd64.md5sums", f"{'0' * 32}  {WHEEL}\n"),
        ],
    ],
)
def test_what_an_entry_of_dpkg_calls_its_configuration_is_claimed_too(entries: list[Entry]) -> None:
    assert claims([*entries, file(WHEEL, METADATA)]) == {(WHEEL, "owner", "1.15.0-9")}
