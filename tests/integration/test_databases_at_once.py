"""Imports of the same databases at the same moment: all succeed, and one whole entry of each stays."""

from __future__ import annotations

import os
import time
import traceback
from pathlib import Path
from typing import Any

import pytest

from gate.disk.content import DigestMemo
from gate.scanners import database_store
from gate.scanners.database_store import DatabaseKind, load_databases
from tests.support.scanners import store_of
from tools.advisories import BuiltDatabases

pytestmark = pytest.mark.real_tools


def _import(directory: Path, built: BuiltDatabases) -> int:
    child = os.fork()
    if child:
        return child
    try:
        store_of(directory, built)
        os._exit(0)
    except BaseException:  # noqa: BLE001 - a child of fork never returns into pytest
        traceback.print_exc()
        os._exit(1)


def test_imports_at_the_same_moment_all_succeed(
    built: BuiltDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = database_store._is_whole

    def slowly(*entry: Any) -> bool:  # noqa: ANN401 - whatever the original takes
        whole = judged(*entry)
        time.sleep(0.05)  # what was just seen is old when it is acted upon
        return whole

    monkeypatch.setattr(database_store, "_is_whole", slowly)
    children = [_import(tmp_path, built) for _ in range(6)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
    for kind in DatabaseKind:
        load_databases(tmp_path).demand(kind).verify(DigestMemo())
    assert list(tmp_path.glob("store/*/.new-*")) == []
