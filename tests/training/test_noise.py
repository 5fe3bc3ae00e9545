"""Training of the noise between partials: what notes miss, and how well it is learned."""

import numpy as np
import pytest

from samplepack.models.backend import start_backend
from samplepack.sound.pitch import pitch_hz
from tests.helpers.networks import random_tensors, small_config

start_backend()

from samplepack.datasets import dataset as prepared  # noqa: E402
from samplepack.models.generator import numpy_codes  # noqa: E402
from samplepack.models.spectra import fold_spectra, noise_of  # noqa: E402
from samplepack.training.noise import learned_noise, missing_noise, no_noise  # noqa: E402

RATE_HZ, SAMPLES = 16000, 16000

SPECTRA = {
    "courses": 2,
    "hidden": 16,
    "start": 32,
    "channels": (4,),
    "floor": -0.5,
    "pitch_width_semitones": 1.0,
    "noise_bands": 3,
}


def steady(pitch):
    time_s = np.arange(SAMPLES) / RATE_HZ
    harmonics = range(1, int(7500 / pitch_hz(pitch)) + 1)
    return sum(0.1 / k * np.sin(2 * np.pi * pitch_hz(pitch) * k * time_s) for k in harmonics).astype("float32")


def noisy(pitch, share_db):
    """A steady note with white noise of this share of its power."""
    tone, random = steady(pitch), np.random.RandomState(pitch)
    return tone + (np.std(tone) * 10 ** (share_db / 20) * random.standard_normal(SAMPLES)).astype("float32")


def test_what_notes_miss_is_the_noise_that_the_networks_own_have_less(tmp_path):
    pitches, real_db, own_db = (60, 64, 67, 72), (-20, -20, -30, -60), (-60, -23, -10, -60)
    about = {"title": "Noisy", "source": "sines", "license": "CC0", "rate_hz": RATE_HZ, "samples": SAMPLES}
    with prepared.writing(tmp_path / "set", **about) as writer:
        for pitch, share_db in zip(pitches, real_db, strict=True):
            writer.add(noisy(pitch, share_db), instrument="Noisy", pitch=pitch, source="sines", cents=0.0)
    dataset = prepared.read_dataset(tmp_path / "set")
    notes = np.argsort([note.pitch for note in dataset.contents.notes])
    sizes = small_config(spectra=SPECTRA | {"noise_bands": 1})
    own = {int(note): noisy(pitch, db) for note, pitch, db in zip(notes, pitches, own_db, strict=True)}
    done = []
    levels = missing_noise(dataset, sizes, notes, lambda some: np.stack([own[int(n)] for n in some]), done.append)
    assert done == [4]
    # Of -20 dB half is there already; what has more than enough misses nothing.
    np.testing.assert_allclose(10 / np.log(10) * levels[:, 0], [-20, -23, -60, -60], atol=1.0)


def test_noise_is_learned_for_each_instrument_pitch_and_velocity():
    sizes = small_config(spectra=SPECTRA, pitches=(60, 71), velocities=(40, 120))
    tensors = random_tensors(sizes) | no_noise(sizes, 1)
    instruments = np.repeat(np.random.RandomState(0).standard_normal((2, 5)).astype("float32"), 24, axis=0)
    labels, velocities = np.tile(np.arange(12), 4), np.tile(np.repeat([40, 120], 12), 2)
    levels = np.stack([-3.0 - 0.2 * labels, -6.0 - velocities / 40, -9.0 + 2 * (instruments[:, 0] > 0)], axis=1)
    codes = numpy_codes(sizes, instruments, labels, velocities)
    before = np.asarray(noise_of(fold_spectra(sizes, tensors), codes))
    assert before == pytest.approx(-60 / 10 * np.log(10), abs=1e-4)
    learned = learned_noise(sizes, tensors, instruments, labels, velocities, levels.astype("float32"), 1)
    assert {name: tensor.shape for name, tensor in learned.items()} == {
        name: shape for name, shape in sizes.tensor_shapes().items() if name.startswith("spectra/noise_")
    }
    after = np.asarray(noise_of(fold_spectra(sizes, tensors | learned), codes))
    assert np.abs(after - levels).mean() < 0.1
