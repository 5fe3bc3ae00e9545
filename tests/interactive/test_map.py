"""The map lays sounds out by how they sound, whatever their pitch, and is kept."""

import json
import shutil

import numpy as np
import pytest

from samplepack.checkpoints.library import STARTERS, resolve
from samplepack.interactive.map import SEEDS, brightness_of, make_map, read_map, spectrum_of
from samplepack.models.checkpoint import read_checkpoint, read_instruments
from samplepack.models.latent import latent_from_seed

RATE_HZ = 16000


def tone(pitch, partials):
    time_s = np.arange(3 * RATE_HZ) / RATE_HZ
    f0 = 440.0 * 2.0 ** ((pitch - 69) / 12.0)
    return sum(a * np.sin(2.0 * np.pi * f0 * n * time_s) for n, a in enumerate(partials, 1)).astype(np.float32)


def test_a_spectrum_is_that_of_the_timbre_at_every_pitch():
    dull = [spectrum_of(tone(pitch, [1.0, 0.3, 0.1]), RATE_HZ, pitch) for pitch in (48, 55, 64)]
    bright = spectrum_of(tone(48, [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), RATE_HZ, 48)
    apart = [np.mean(np.abs(dull[0] - other)) for other in (*dull[1:], bright)]
    assert max(apart[:2]) < 1.5 < 6.0 < apart[2]
    assert brightness_of(bright) > brightness_of(dull[0]) + 0.2


@pytest.fixture
def starter(tmp_path):
    """The starter without the map that lies beside it."""
    folder = tmp_path / "starter"
    shutil.copytree(STARTERS["starter@1"], folder, ignore=shutil.ignore_patterns("map.json"))
    return read_checkpoint(folder, "starter")


def test_a_map_is_made_once_and_its_places_follow_the_sound(starter):
    told = []

    def wave_of(z, pitch):  # as many partials as the latent's first number says
        return tone(pitch, [1.0] * (1 + int(np.argsort(np.argsort([z[0], -1.0, -0.3, 0.3, 1.0]))[0]) * 3))

    made = make_map(starter, wave_of, lambda fresh, done, of: told.append((len(fresh), done, of)))
    assert read_map(starter) == made
    assert sum(fresh for fresh, _, _ in told) == len(made.places) == told[-1][1] == told[-1][2]
    seeds = [place for place in made.places if place.seed is not None]
    assert len(seeds) == SEEDS
    partials = [latent_from_seed(place.seed, starter.latent_dim)[0] for place in seeds]
    assert np.corrcoef(partials, [place.brightness for place in seeds])[0, 1] > 0.8
    assert made.nearest(np.array(made.places[3].spectrum, np.float32), 1)[0][1] < 1e-6


def test_a_damaged_map_counts_as_none(home, starter):
    file = home / "maps" / f"{starter.digest}.json"
    file.parent.mkdir()
    for text in ("", "[]", json.dumps({"map": 1, "checkpoint": "0" * 64, "places": []}), "x" * 100):
        file.write_text(text)
        assert read_map(starter) is None


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_brings_its_map(home, name):
    starter = resolve(name, home)
    places = {place.name: place for place in read_map(starter).places}  # only that of this very checkpoint is read
    assert list(places) == [*read_instruments(starter), *(f"seed {seed}" for seed in range(SEEDS))]
