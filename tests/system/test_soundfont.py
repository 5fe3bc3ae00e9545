"""A General MIDI soundfont, rendered by FluidSynth. Needs Debian's `fluidsynth` and `timgm6mb-soundfont`."""

from pathlib import Path

import numpy as np
import pytest

from samplepack.base import parallel
from samplepack.datasets import general_midi, soundfont
from samplepack.datasets.candidates import take
from samplepack.datasets.dataset import read_dataset
from samplepack.datasets.prepare import prepare
from samplepack.sound.audio import Audio
from samplepack.sound.pitch import estimate_pitch

SOUNDFONT = Path("/usr/share/sounds/sf2/TimGM6mb.sf2")
PITCHES = range(60, 63)


def notes_of(program, pitches, samples=64000):
    job = list(soundfont.open_soundfont(SOUNDFONT, 4.0, pitches, one_velocity=True).jobs)[program]
    return [take(offered, 16000, samples, pitches) for offered in job()]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The set, prepared twice, with different workers."""
    folder = tmp_path_factory.mktemp("soundfont")
    for workers in (1, 3):
        prepare(
            SOUNDFONT, folder / str(workers), parallel.threads(workers), seconds=1.0, pitches=PITCHES, one_velocity=True
        )
    return folder


def test_every_pitched_program_is_taken_under_its_standard_name(made):
    prepared = read_dataset(made / "1")
    pitched = [name for n, name in enumerate(general_midi.NAMES) if n not in general_midi.UNPITCHED]
    # Some few of this soundfont's programs sound off their pitch.
    assert [name for name in pitched if name in prepared.instruments] == prepared.instruments
    assert len(prepared.contents.notes) > 0.95 * len(pitched) * len(PITCHES)
    reasons = {one.reason for one in prepared.contents.dropped}
    assert reasons <= {"unpitched", "another bank", "mislabelled", "silent"} and "unpitched" in reasons


def test_the_set_is_the_same_whatever_the_workers(made):
    for file in ("dataset.json", "waves.s16", "table.png"):
        assert (made / "1" / file).read_bytes() == (made / "3" / file).read_bytes()


def test_a_note_begins_at_once_is_held_for_three_seconds_and_does_not_hear_those_before_it():
    organ = 19
    alone = notes_of(organ, range(61, 62))
    (_, after, _) = notes_of(organ, PITCHES)
    # A voice's very first block is faded in a little differently.
    np.testing.assert_allclose(alone[0].wave, after.wave, rtol=0, atol=1e-4)
    level = np.sqrt((after.wave.reshape(-1, 160) ** 2).mean(axis=1))  # of each 10 ms
    assert np.argmax(level > 0.05 * level.max()) < 10
    assert level[295] > 0.3 * level.max() and level[395] < 0.5 * level[295]
    assert abs(estimate_pitch(Audio(after.wave[None], 16000)).cents_above(61)) < 20


def test_rendered_at_48_khz_high_notes_do_not_alias():
    (square,) = notes_of(80, range(84, 85))
    spectrum = np.abs(np.fft.rfft(square.wave[16000:48000] * np.hanning(32000)))
    frequency_hz = np.fft.rfftfreq(32000, 1 / 16000)
    heard = estimate_pitch(Audio(square.wave[None], 16000))
    off = np.abs(frequency_hz / heard.frequency_hz - np.rint(frequency_hz / heard.frequency_hz))
    between = spectrum[(off > 0.2) & (frequency_hz > 500)]
    assert between.max() < spectrum.max() * 10 ** (-50 / 20)
