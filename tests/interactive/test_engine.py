"""Notes on demand are those of a build."""

import threading

import pytest

from samplepack.base.errors import InputError
from samplepack.base.files import user_folder
from samplepack.interactive.engine import NoteEngine, _Queue
from samplepack.recipe import load_recipe
from samplepack.rendering.cache import Cache
from tests.helpers import packs

TIMBRES = "{Glass: 7, Far: {seed: 3, toward: Glass, at: 0.5}}"
PROCESS = "process: [{Reverb: {room_size: 0.2, wet_level: 0.2}}]\n"


@pytest.fixture
def settled():
    return threading.Event()


@pytest.fixture
def engine(home, settled):
    made = NoteEngine(workers=2, on_settled=lambda digest: settled.set())
    yield made
    made.close()


def test_what_is_heard_is_what_a_build_writes_and_a_build_renders_nothing_more(engine, settled, write_recipe, tmp_path):
    path = write_recipe(PROCESS, timbres=TIMBRES)
    loaded = load_recipe(path)
    voice = engine.voice(loaded, {"seed": 3, "toward": "Glass", "at": 0.5}, "Far")
    first = engine.heard(voice, 61)
    assert (first.pitch, first.settled) == (60, False)
    assert first.bytes_of(first.packed.notes[0].file)[:4] == b"RIFF"
    assert settled.wait(120)
    heard = [engine.heard(voice, key) for key in (48, 60, 72)]
    assert all(one.settled for one in heard)
    cache = user_folder("notes")
    for note in engine.instrument(loaded, "Glass").notes_of([48, 60, 72]):
        engine.render_note(voice.plan.checkpoint, note).result()
    before = Cache(cache).info().notes
    pack = packs.build(path, tmp_path / "out", cache)
    assert Cache(cache).info().notes == before
    (far,) = [one for one in pack.manifest.instruments if one.name == "Far"]
    assert [one.packed.notes[0] for one in heard] == list(far.notes)
    for one in heard:
        (note,) = one.packed.notes
        assert one.bytes_of(note.file) == (pack.folder / note.file).read_bytes()


def test_a_key_alone_has_the_loudness_that_is_asked_for(engine, write_recipe):
    loaded = load_recipe(write_recipe())
    heard = engine.heard(engine.voice(loaded, 11), 60, ahead=False)
    assert heard.packed.notes[0].loudness_lufs == pytest.approx(-18.0, abs=0.2)
    assert engine.heard(engine.voice(loaded, 11), 100) is None


@pytest.mark.parametrize("written", [None, "x", {"seed": -1}, {"seed": 1, "toward": "Nobody", "at": 0.1}, [], 1.5])
def test_a_wrong_timbre_is_an_input_error(engine, write_recipe, written):
    with pytest.raises(InputError):
        engine.voice(load_recipe(write_recipe()), written)


def test_a_timbre_toward_itself_is_an_input_error(engine, write_recipe):
    loaded = load_recipe(write_recipe(timbres=TIMBRES))
    with pytest.raises(InputError, match="lies toward itself"):
        engine.voice(loaded, {"seed": 3, "toward": "Far", "at": 0.5}, "Glass")


def test_what_somebody_waits_for_is_not_dropped_with_the_same_that_was_wanted_ahead():
    queue = _Queue()
    ahead = queue.submit(4, lambda: None)
    queue.submit(0, lambda: None, ahead)
    others = [queue.submit(3, lambda: None) for _ in range(2000)]
    assert others[0].cancelled() and not ahead.cancelled(), "the queue was too long"
    worker = threading.Thread(target=queue.work, args=(4,))
    worker.start()
    assert ahead.result(timeout=10) is None
    queue.close()
    worker.join()
