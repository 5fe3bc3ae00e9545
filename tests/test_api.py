"""samplepack from Python."""

import note_seq
import pytest
import soundfile

import samplepack
from samplepack.base.errors import InputError
from tests.helpers.places import FIXTURES


def test_in_a_notebook_notes_and_clips_have_a_player_and_a_picture(tmp_path):
    starter = samplepack.load("starter")
    note = starter.render(seed=7, pitch=60)
    assert note.audio.samples.shape == (1, 64000) and note.audio.rate_hz == 16000
    shown = note._repr_html_()
    assert '<audio controls src="data:audio/wav;base64,' in shown and "data:image/png;base64," in shown
    note.save(tmp_path / "note.wav")
    assert soundfile.info(tmp_path / "note.wav").frames == 64000
    clip = starter.clip(FIXTURES / "clip.mid", timbres=[7, starter.instruments[0], starter.latent(3)])
    assert clip.title == "7 notes; left out: 1 note of drums; left out: 3 notes outside 36-84"
    same = starter.clip(note_seq.midi_file_to_note_sequence(str(FIXTURES / "clip.mid")), [7, 1, 3])
    assert same.audio.samples.shape[0] == 1
    clip.draw(tmp_path / "clip.svg")
    assert b"<svg" in (tmp_path / "clip.svg").read_bytes()


def test_what_cannot_be_played_from_python_is_told():
    starter = samplepack.load("starter")
    with pytest.raises(InputError, match="pitch 12 is outside"):
        starter.render(seed=7, pitch=12)
    with pytest.raises(InputError, match="no instrument is called 'Violla'; did you mean 'Viola'"):
        starter.render("Violla")
    with pytest.raises(InputError, match="give timbres, or seconds_per_instrument"):
        starter.clip(FIXTURES / "clip.mid")
