"""Where things are kept, and that no place is guessed where the environment names none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from gate.clock import Deadline
from gate.errors import StorageError
from gate.pipeline.image_lock import image_lock, scratch_folder
from gate.settings.locations import default_places


@pytest.mark.parametrize(
    "environment", [{}, {"HOME": ""}, {"HOME": "relative"}, {"XDG_CACHE_HOME": "/c"}, {"XDG_STATE_HOME": "/s"}]
)
def test_without_a_home_no_place_is_guessed(environment: Mapping[str, str]) -> None:
    with pytest.raises(StorageError) as refusal:
        default_places(environment)
    assert refusal.value.code == "STORE_UNAVAILABLE"
    assert "XDG_STATE_HOME" in str(refusal.value.next_step)
    assert "--cache-dir" in str(refusal.value.next_step)


def test_without_a_home_what_is_named_is_enough() -> None:
    places = default_places({"XDG_STATE_HOME": "/s"}, cache=Path("/c"))
    assert (places.cache, places.state) == (Path("/c"), Path("/s/gate"))
    both = default_places({"XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c"})
    assert (both.cache, both.state) == (Path("/c/gate"), Path("/s/gate"))


def test_a_home_is_used_where_nothing_else_is_named() -> None:
    places = default_places({"HOME": "/home/a", "XDG_STATE_HOME": "relative"})
    assert (places.cache, places.state) == (Path("/home/a/.cache/gate"), Path("/home/a/.local/state/gate"))


def test_a_folder_that_cannot_be_made_names_what_moves_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / "file" / "below"
    with pytest.raises(StorageError) as refusal, image_lock(folder, "subject", Deadline.after(timedelta(seconds=5))):
        pass
    assert "XDG_STATE_HOME" in str(refusal.value.next_step)
    with pytest.raises(StorageError) as refusal, scratch_folder(folder):
        pass
    assert "--cache-dir" in str(refusal.value.next_step)
