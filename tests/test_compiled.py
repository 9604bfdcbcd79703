"""Where compiled code is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from mdnb.compiled import compiled

@compiled()
def double(number):
    return 2 * number

print(double(21))
print(sum(double.stats.cache_hits.values()), sum(double.stats.cache_misses.values()))
print(double.stats.cache_path)
"""


def used(folder: Path, **environment: str) -> list[str]:
    """Return what a fresh process prints that calls a compiled function."""
    script = folder / "doubling.py"
    script.write_text(MODULE)
    environment = {**{k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}, **environment}
    done = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_it_is_kept_in_the_users_cache_and_found_again(tmp_path: Path) -> None:
    first, second = (used(tmp_path, MDNB_CACHE=str(tmp_path)) for _ in range(2))
    assert first[:2] == ["42", "0 1"]
    assert second[:2] == ["42", "1 0"]
    assert Path(first[2]).is_relative_to(tmp_path / "compiled")
    assert list(tmp_path.glob("compiled/*/*/doubling.double*.nbc"))


def test_a_users_own_setting_of_numba_goes_before(tmp_path: Path) -> None:
    printed = used(tmp_path, MDNB_CACHE=str(tmp_path / "ours"), NUMBA_CACHE_DIR=str(tmp_path / "theirs"))
    assert Path(printed[2]).is_relative_to(tmp_path / "theirs")


def test_nothing_can_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    printed = used(tmp_path, MDNB_CACHE=str(tmp_path / "file"), NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator")
    assert printed == ["42", "0 1", "None"]


def test_what_other_versions_left_long_ago_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mdnb.compiled import compiled_folder

    monkeypatch.setenv("MDNB_CACHE", str(tmp_path))
    old, recent = tmp_path / "compiled" / "old", tmp_path / "compiled" / "recent"
    for other in (old, recent):
        other.mkdir(parents=True)
        (other / "x.nbc").touch()
    os.utime(old, (1e9, 1e9))
    compiled_folder.__wrapped__()
    assert not old.exists()
    assert (recent / "x.nbc").exists()
