"""The keyboard for notebooks: what Python answers when the browser asks for a note."""

import re

import numpy as np
import pytest

import samplepack
from samplepack.base.errors import InputError
from samplepack.checkpoints.directions import Direction, Directions
from samplepack.web import widget


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMPLEPACK_HOME", str(tmp_path_factory.mktemp("home")))
        return samplepack.load("starter")


def answers(keyboard, monkeypatch, **asked):
    """What is sent to the browser after it asked for a note."""
    sent = []
    monkeypatch.setattr(keyboard, "send", lambda content, buffers=(): sent.append((content, *buffers)))
    keyboard._answer(keyboard, {"id": "x", "at": 0.0, "moves": {}, **asked}, [])
    (answer,) = sent
    return answer


def test_a_note_is_that_of_the_player(starter, monkeypatch):
    keyboard = widget.Keyboard(starter, "Viola")
    content, samples = answers(keyboard, monkeypatch, key=60)
    note = starter.note("Viola", 60)
    assert content == {"id": "x", "key": 60, "rateHz": 48000, "channels": 1, "loop": note.loop}
    assert np.array_equal(np.frombuffer(samples, np.float32), note.samples)


def test_the_slider_travels_the_arc_and_sliders_move_along_directions(starter, monkeypatch):
    step = np.eye(starter.checkpoint.latent_dim, dtype=np.float32)[0]
    found = Directions(
        directions=1,
        checkpoint=starter.checkpoint.digest,
        found=(Direction(name="brightness", step=tuple(map(float, step))),),
    )
    monkeypatch.setattr(widget, "read_directions", lambda checkpoint: found)
    keyboard = widget.Keyboard(starter, "Viola", toward=7, directions=["brightness"])
    keyboard.at, keyboard.moves = 0.25, {"brightness": 2.0}
    assert np.array_equal(keyboard.latent, starter.between("Viola", 7, 0.25) + 2.0 * step)


def test_what_cant_be_rendered_is_told(starter, monkeypatch):
    (content,) = answers(widget.Keyboard(starter, 7), monkeypatch, key=5)
    assert content["id"] == "x" and "pitch" in content["error"]


def test_unknown_directions_are_named_all_at_once(starter, monkeypatch):
    monkeypatch.setattr(widget, "read_directions", lambda checkpoint: None)
    with pytest.raises(InputError) as raised:
        widget.Keyboard(starter, 7, directions=["brightness", "pc1"])
    assert [problem.message for problem in raised.value.problems] == [
        "'starter' has no direction 'brightness'",
        "'starter' has no direction 'pc1'",
    ]


def test_the_script_is_one_module_that_loads_no_other():
    assert not re.search(r"(?m)^import |from '", widget.Keyboard._esm)
    assert len(re.findall(r"(?m)^export ", widget.Keyboard._esm)) == 1
