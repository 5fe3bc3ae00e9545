"""Finding directions: in a synthesiser whose latents do what is known, and in the packaged network."""

import json
import shutil

import numpy as np
import pytest

from samplepack.checkpoints import library
from samplepack.checkpoints.directions import moved, read_directions
from samplepack.evaluation.measures import centroid_hz
from samplepack.fitting import directions as finding
from samplepack.models.checkpoint import Config, read_checkpoint, write_checkpoint
from samplepack.models.latent import latent_from_seed
from samplepack.models.load import load_model
from samplepack.sound.pitch import pitch_hz
from tests.helpers.networks import random_tensors, small_config

RATE_HZ = 8000


class Synthesiser:
    """Tones that are brighter along the first number of a latent, and set in later along the second; the features are
    the third number, strongly, and the fourth."""

    notes_together = 1

    def render(self, latents, pitches):
        time_s = np.arange(RATE_HZ * 3 // 2) / RATE_HZ
        waves = []
        for (brightness, attack, *_), pitch in zip(latents, pitches, strict=True):
            fall = 2.0 * 2.0 ** (-0.5 * brightness)
            partials = range(1, int(0.45 * RATE_HZ / pitch_hz(pitch)))
            wave = sum(np.sin(2 * np.pi * n * pitch_hz(pitch) * time_s) * n**-fall for n in partials)
            waves.append(0.1 * wave * np.minimum(time_s / (0.1 * 2.0**attack), 1.0))
        return np.array(waves, np.float32)

    def features(self, latents, pitches, block):
        return np.column_stack([3.0 * latents[:, 2], latents[:, 3], np.asarray(pitches, np.float32)]).astype(np.float32)


@pytest.fixture
def synthesiser(tmp_path, monkeypatch):
    """A checkpoint that sounds as `Synthesiser` does."""
    config = small_config(latent_dim=4, pitches=(24, 84), sample_rate_hz=RATE_HZ)
    write_checkpoint(tmp_path / "known", Config.model_validate(config.model_dump()), random_tensors(config))
    monkeypatch.setattr(finding, "load_model", lambda checkpoint: Synthesiser())
    for name, small in {"_LEAST_NOTES": 60, "_FRESH": 3, "_FEATURES": 64}.items():
        monkeypatch.setattr(finding, name, small)
    return read_checkpoint(tmp_path / "known", "./known")


def test_what_latents_are_known_to_do_is_found_and_the_same_again(synthesiser):
    found = finding.find_directions(synthesiser)
    named = found.named()
    # Not quite along the numbers themselves: they move other figures a little, too, which a step avoids.
    assert named["brightness"].unit_vector[0] > 0.85 and named["attack"].unit_vector[1] > 0.85
    for name in ("brightness", "attack"):
        effect = named[name].effect
        assert effect.correlation > 0.9 and effect.follows == 1.0 and effect.moves[name] == pytest.approx(1.0, abs=0.05)
    assert abs(named["brightness"].effect.moves["attack"]) < 0.1
    assert abs(named["pc1"].unit_vector[2]) > 0.95 and named["pc1"].share == pytest.approx(0.9, abs=0.05)
    assert abs(named["pc2"].unit_vector[3]) > 0.95 and "pc3" not in named
    assert "decay" not in named and "vibrato" not in named  # which are the same in all notes
    assert finding.find_directions(synthesiser).model_dump_json() == found.model_dump_json()


def test_brightness_of_the_starter_raises_the_centroid_of_notes_of_other_latents():
    checkpoint = library.resolve("starter@1", library.STARTER)
    known = read_directions(checkpoint).named()
    latents = [latent_from_seed(seed, 32) for seed in range(1, 11)]
    brighter = [moved(z, known, {"brightness": 1.5}) for z in latents]
    waves = load_model(checkpoint).render(np.array(latents + brighter), np.full(20, 60, np.int32))
    before, after = np.split(np.array([centroid_hz(wave, checkpoint.rate_hz) for wave in waves]), 2)
    assert np.mean(after > before) >= 0.9


def test_the_starters_directions_say_how_well_they_hold():
    for name, folder in library.STARTERS.items():
        if (folder / "directions.json").is_file():
            directions = read_directions(read_checkpoint(folder, name)).found
            assert [d.name for d in directions][-1] == "pc8" and directions[0].name == "brightness"
            assert all(d.effect and np.isfinite(d.effect.timbre_db) for d in directions)
    assert (library.STARTERS["starter@1"] / "directions.json").is_file()


def test_the_command_shows_writes_draws_and_takes_directions(run, tmp_path, monkeypatch):
    shown = run("directions", "starter@1", "--picture", tmp_path / "all.png")
    assert shown.code == 0 and "brightness" in shown.out and "pc8" in shown.out
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    as_json = json.loads(run("directions", "starter@1", "--json").out)
    assert len(as_json["found"][0]["step"]) == 32

    folder = tmp_path / "mine"
    starter = library.STARTERS["starter@1"]
    shutil.copytree(starter, folder, ignore=shutil.ignore_patterns("directions.json"))
    taken = run("directions", folder, "--import", starter / "directions.json")
    assert taken.code == 0 and taken.out.splitlines()[-1] == str(folder / "directions.json")
    assert (folder / "directions.json").read_bytes() == (starter / "directions.json").read_bytes()

    found = read_directions(read_checkpoint(folder, "mine"))
    monkeypatch.setattr(finding, "find_directions", lambda *_: found.model_copy(update={"made_by": "hand"}))
    assert str(folder) not in run("directions", folder).out  # there are some
    assert run("directions", folder, "--again").out.splitlines()[-1] == str(folder / "directions.json")
    assert read_directions(read_checkpoint(folder, "mine")).made_by == "hand"

    (tmp_path / "other.json").write_text((starter / "directions.json").read_text().replace(found.checkpoint, "0" * 64))
    refused = run("directions", folder, "--import", tmp_path / "other.json")
    assert refused.code == 2 and "the directions of another checkpoint" in refused.err
    assert run("directions", "nothing").code == 2
