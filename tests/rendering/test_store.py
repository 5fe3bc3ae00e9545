"""Shared stores behind the cache: what they give is right or isn't used, and a build ends without them."""

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.base.progress import Task, silent
from samplepack.models.checkpoint import read_checkpoint, write_checkpoint
from samplepack.models.engine import DEFAULT_ENGINE
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note
from samplepack.rendering.render import render
from samplepack.rendering.store import Store
from tests.helpers.networks import Tones, random_tensors, small_config
from tests.helpers.stores import READ_FAULTS, WRITE_FAULTS, make_faulty

WAVE = np.arange(5, dtype=np.float32)


@pytest.fixture
def checkpoint(tmp_path):
    config = small_config()
    write_checkpoint(tmp_path / "checkpoint", config, random_tensors(config))
    return read_checkpoint(tmp_path / "checkpoint", "checkpoint")


@pytest.fixture(params=["memory", "file"])
def address(request, tmp_path):
    """Of an object store, and of files that are renamed."""
    return f"{request.param}://{tmp_path}/store"


def notes(count, seed=1):
    latents = np.random.RandomState(seed).standard_normal((count, 5)).astype(np.float32)
    return [Note(60 + i % 3, z, None, f"{seed:032x}{i:032x}") for i, z in enumerate(latents)]


def waves(wanted, checkpoint, cache):
    """The rendered notes, and how many the network made."""
    tones = Tones(seconds=0.01)
    rendered = render(wanted, checkpoint, cache, DEFAULT_ENGINE, Task("", silent), lambda: tones)
    made = [audio.samples[0] for _, audio in rendered]
    cache.trim()
    return np.stack(made), tones.rendered


def test_what_one_machine_renders_another_reads_and_keeps(address, checkpoint, tmp_path):
    wanted = notes(6)
    first, rendered = waves(wanted, checkpoint, Cache(tmp_path / "one", stores=[Store(address)]))
    assert rendered == 6
    laptop = Cache(tmp_path / "two", stores=[Store(address, is_read_only=True)])
    again, rendered = waves(wanted, checkpoint, laptop)
    assert rendered == 0 and np.array_equal(first, again) and laptop.info().notes == 6
    assert waves(wanted, checkpoint, Cache(tmp_path / "two"))[1] == 0
    assert waves(notes(2, seed=2), checkpoint, laptop)[1] == 2
    other = Cache(tmp_path / "three", stores=[Store(address)])
    assert waves(notes(2, seed=2), checkpoint, other)[1] == 2, "a mirror isn't written"
    assert laptop.store_trouble() == other.store_trouble() == []


def test_stores_are_read_in_their_order_and_only_for_what_is_lacking(checkpoint, tmp_path):
    addresses = [f"memory://{tmp_path}/{name}" for name in ("own", "mirror")]
    wanted = notes(4)
    waves(wanted[:2], checkpoint, Cache(tmp_path / "one", stores=[Store(addresses[0])]))
    waves(wanted, checkpoint, Cache(tmp_path / "two", stores=[Store(addresses[1])]))
    stores = [Store(addresses[0]), Store(addresses[1], is_read_only=True)]
    assert waves(wanted, checkpoint, Cache(tmp_path / "three", stores=stores))[1] == 0


def test_no_fault_of_a_store_changes_a_note_and_each_is_told(address, checkpoint, tmp_path):
    wanted = notes(12)
    right, _ = waves(wanted, checkpoint, Cache(tmp_path / "alone"))
    faults, lines = [], []
    for number in range(20):
        store = Store(address, timeout_s=0.1)
        faulty = make_faulty(store, turn=number)
        cache = Cache(tmp_path / f"machine-{number}", stores=[store])
        made, _ = waves(wanted, checkpoint, cache)
        assert np.array_equal(made, right), f"after {faults}"
        faults += faulty.faults
        lines += cache.store_trouble()
    assert len(faults) > 60 and set(faults) == {*READ_FAULTS, *WRITE_FAULTS}
    assert any("couldn't be read from" in line for line in lines) and any("were damaged" in line for line in lines)
    assert any("couldn't be written to" in line for line in lines)


def test_a_store_that_is_gone_is_left_alone_after_three_failures(checkpoint, tmp_path):
    store = Store(f"memory://{tmp_path}/store", timeout_s=5.0)
    faulty = make_faulty(store, share=0.0)
    cache = Cache(tmp_path / "one", stores=[store])

    def gone(*arguments):
        faulty.faults.append("gone")
        raise ConnectionError("connection\nrefused")

    faulty.cat_file = gone
    waves(notes(60), checkpoint, cache)
    assert 3 <= len(faulty.faults) <= 2 + 16  # that many are under way at once
    (line,) = cache.store_trouble()
    assert f"of {len(faulty.faults)} notes couldn't be read from memory://" in line
    assert line.endswith(": connection refused; not used for that any more")
    faulty.cat_file = faulty.files.cat_file
    assert waves(notes(60), checkpoint, Cache(tmp_path / "two", stores=[Store(store.name)]))[1] == 0, "it was written"


def test_a_file_is_whole_or_not_there(tmp_path):
    store = Store(f"file://{tmp_path}/store")
    files = store._files
    rename = files.mv

    def killed(*arguments):
        raise OSError("killed")

    files.mv = killed
    assert not store.write("ab12", b"entry") and store.read("ab12") is None
    assert not [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    files.mv = rename
    assert store.write("ab12", b"entry") and store.read("ab12") == b"entry"


def test_share_hands_on_what_the_folder_has_and_tells_what_it_could_not(tmp_path):
    store = Store(f"memory://{tmp_path}/store")
    Cache(tmp_path / "notes").put("ab12", WAVE)
    cache = Cache(tmp_path / "notes", stores=[store])
    assert cache.share(["ab12", "cd34"]) == ["cd34"] and store.holds("ab12")
    other = Cache(tmp_path / "other", stores=[store])
    other.fetch(["ab12", "cd34"])
    assert np.array_equal(other.get("ab12"), WAVE) and "cd34" not in other


def test_old_entries_go(address, tmp_path):
    cache = Cache(tmp_path / "notes", stores=[Store(address)])
    cache.put("ab12", WAVE)
    cache.trim()
    assert cache.trim_by_age(1.0) == 0 and cache.trim_by_age(0.0) == 2
    assert "ab12" not in cache and not cache.stores[0].holds("ab12")


def test_the_environment_says_where_the_cache_lies(tmp_path, home, monkeypatch, run):
    assert Cache.of_user().folder == home / "notes" and not Cache.of_user().stores
    monkeypatch.setenv("SAMPLEPACK_CACHE", str(tmp_path / "here"))
    assert Cache.of_user().folder == tmp_path / "here" and not Cache.of_user().stores
    monkeypatch.setenv("SAMPLEPACK_CACHE", "memory://team")
    monkeypatch.setenv("SAMPLEPACK_CACHE_READ", "memory://ci memory://mirror")
    cache = Cache.of_user()
    assert cache.folder == home / "notes"
    assert [(store.name, store.is_read_only) for store in cache.stores] == [
        ("memory://team", False), ("memory://ci", True), ("memory://mirror", True),
    ]  # fmt: skip
    monkeypatch.setenv("SAMPLEPACK_CACHE", "teapot://user:secret@host/x")
    with pytest.raises(InputError, match="teapot://host/x: ") as refused:
        Cache.of_user()
    assert "secret" not in str(refused.value)
    ran = run("cache", "info")
    assert ran.code == 2 and ran.err.count("\n") == 1
