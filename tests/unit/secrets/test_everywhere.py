"""A secret found in `srv/app/.env` is found under each folder of real images, in each container, and after any byte.

Attacks X03, X05, X07.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.secrets.test_search import search
from tests.unit.secrets.test_skipped_bytes import PACKED, SKIPPED, name_of

ENV = b"APP_ENV=production\nDB_PASSWORD=hunter-22x9\nPORT=8080\n"
KEY = (ENV, "password-assignment", b"hunter-22x9")
LIST = Path(__file__).resolve().parents[3] / "fixtures" / "secrets" / "folders.txt"
FOLDERS = [line for line in LIST.read_text("utf-8").splitlines() if not line.startswith("#")]


def found(content: bytes, path: str) -> set[tuple[str, bytes]]:
    return {(hit.rule, hit.value) for hit in search(content, path)[0]}


def test_the_list_holds_names_of_many_folders() -> None:
    assert len(FOLDERS) >= 1000
    assert {"locale", "doc", "test", "examples", "schemas", "node_modules", "man1"} <= set(FOLDERS)


@pytest.mark.parametrize("name", [".env", "app.yml", "settings.ini"])
def test_under_each_folder_of_real_file_systems(name: str) -> None:
    content = ENV.replace(b"=", b": ") if name.endswith("yml") else ENV
    wanted = found(content, f"srv/app/{name}")
    assert wanted == {(KEY[1], KEY[2])}
    assert [folder for folder in FOLDERS if found(content, f"srv/{folder}/{name}") != wanted] == []
    assert [folder for folder in FOLDERS if found(content, f"{folder}/{name}") != wanted] == []


@given(folders=st.lists(st.sampled_from(FOLDERS), min_size=1, max_size=6), place=st.sampled_from(sorted(SKIPPED)))
def test_in_each_container_under_any_path(folders: list[str], place: str) -> None:
    pack: Callable[[bytes], bytes] = PACKED["tar in gzip"]
    path = name_of(place) if "object" in place else "/".join([*folders, "data.bin"])
    assert (KEY[1], KEY[2]) in found(SKIPPED[place](pack(ENV)), path)


@given(before=st.binary(max_size=64), behind=st.binary(max_size=64), place=st.sampled_from(sorted(SKIPPED)))
def test_after_any_bytes(before: bytes, behind: bytes, place: str) -> None:
    # What is put around it begins no container and ends no line of the file.
    content = (
        b"\0" + before.replace(b"\x1f", b"x").replace(b"P", b"x") + b"\n\0\n" + PACKED["zip"](ENV) + b"\0" + behind
    )
    assert (KEY[1], KEY[2]) in found(SKIPPED[place](content), name_of(place))
