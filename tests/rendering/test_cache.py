import errno
import os
from pathlib import Path

import numpy as np
import pytest

from samplepack.rendering.cache import Cache

WAVE = np.arange(5, dtype=np.float32)


def test_what_is_put_comes_back(tmp_path):
    cache = Cache(tmp_path)
    cache.put("ab12", WAVE)
    assert "ab12" in cache and np.array_equal(cache.get("ab12"), WAVE)
    assert cache.get("cd34") is None and "cd34" not in cache


def test_a_damaged_entry_counts_as_missing(tmp_path):
    cache = Cache(tmp_path)
    cache.put("ab12", WAVE)
    (entry,) = (path for path in tmp_path.rglob("*") if path.is_file())
    whole = entry.read_bytes()
    for damaged in (b"", whole[:-1], whole[:10], whole[:-1] + b"\xff", b"\x00" + whole[1:]):
        entry.write_bytes(damaged)
        assert cache.get("ab12") is None


def test_entries_whose_names_were_exchanged_count_as_missing(tmp_path):
    cache = Cache(tmp_path)
    for key in ("ab12", "ab34"):
        cache.put(key, WAVE)
    os.replace(tmp_path / "ab" / "ab34.wave", tmp_path / "ab" / "ab12.wave")
    assert cache.get("ab12") is None


def test_a_cache_that_cannot_be_written_keeps_nothing_and_does_not_fail(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file")
    cache.put("ab12", WAVE)
    assert cache.get("ab12") is None
    assert str(tmp_path / "file") in cache.trouble


def test_a_cache_whose_folder_cannot_be_listed_does_not_fail(tmp_path, monkeypatch):
    cache = Cache(tmp_path)
    cache.put("ab12", WAVE)

    def refuse(path, pattern):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "glob", refuse)
    cache.trim()
    assert cache.trouble == f"{tmp_path}: Permission denied"


def put(cache, key, used):
    """An entry of 32 + 20 bytes, last used at a time."""
    cache.put(key, WAVE)
    (entry,) = cache.folder.rglob(f"{key}.wave")
    os.utime(entry, (used, used))


def test_what_was_not_used_for_longest_goes_first(tmp_path):
    cache = Cache(tmp_path, limit_bytes=4 * 52)
    for i, key in enumerate(["aa", "bb", "cc", "dd"]):
        put(cache, key, 1000 + i)
    cache.trim()
    assert all(key in cache for key in ("aa", "bb", "cc", "dd"))
    cache.get("aa")  # used now
    put(cache, "ee", 2000)
    cache.trim()
    assert [key in cache for key in ("aa", "bb", "cc", "dd", "ee")] == [True, False, False, True, True]
    assert cache.info().size_bytes <= cache.limit_bytes


def test_what_a_killed_build_left_half_written_goes_in_time(tmp_path):
    cache = Cache(tmp_path, limit_bytes=0)
    put(cache, "aa", 1000)
    fresh, old = tmp_path / "aa" / ".aa.wave.fresh", tmp_path / "aa" / ".aa.wave.old"
    for half in (fresh, old):
        half.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    cache.trim()
    assert fresh.exists() and not old.exists() and "aa" not in cache


def test_the_command_says_what_is_there_and_clears_it(run, home):
    cache = Cache(home / "notes")
    for key in ("aa", "bb"):
        put(cache, key, 1000)
    assert "2 notes" in run("cache", "info").out
    assert "2 notes dropped" in run("cache", "clear").out
    assert "0 notes" in run("cache", "info").out and cache.get("aa") is None


@pytest.mark.parametrize("limit", ["much", "-1", "nan", "inf"])
def test_a_limit_that_is_no_number_is_refused(run, monkeypatch, limit):
    monkeypatch.setenv("SAMPLEPACK_CACHE_GB", limit)
    ran = run("cache", "info")
    assert ran.code == 2 and "SAMPLEPACK_CACHE_GB" in ran.err
    monkeypatch.setenv("SAMPLEPACK_CACHE_GB", "0.5")
    assert "of 500 MB" in run("cache", "info").out


def test_notes_are_trimmed_by_an_age_that_is_no_negative_one(run, home):
    cache = Cache.of_user()
    cache.put("ab" * 32, np.zeros(8, np.float32))
    refused = run("cache", "trim", "--days", "-1")
    assert refused.code == 2 and "--days" in refused.err and cache.info().notes == 1
    assert run("cache", "trim", "--days", "1").out == "0 notes dropped\n"
    assert run("cache", "trim", "--days", "0").out == "1 note dropped\n"
