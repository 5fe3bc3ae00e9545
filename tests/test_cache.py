import numpy as np

from samplepack.cache import Cache

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


def test_a_cache_that_cannot_be_written_keeps_nothing_and_does_not_fail(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = Cache(tmp_path / "file")
    cache.put("ab12", WAVE)
    assert cache.get("ab12") is None
