"""Velocity layers: by a network that has learned velocity, and by a filter where it hasn't."""

import json

import numpy as np
import pytest

from samplepack.checkpoints.library import STARTERS
from samplepack.formats.instrument import velocity_tracking_percent
from samplepack.models.checkpoint import read_checkpoint, read_tensors, write_checkpoint
from samplepack.pack.manifest import read_manifest
from samplepack.pack.players import players
from samplepack.pack.verify import verify
from samplepack.sound.pitch import pitch_hz
from tests.helpers.packs import play

RATE_HZ, SAMPLES = 16000, 64000
LEARNED = (24, 120)


class Struck:
    """Stands in for a network that has learned velocity: struck harder, a note is louder and brighter."""

    asked = []

    def render(self, latents, pitches, velocities):
        self.asked += [(int(p), round(float(v))) for p, v in zip(pitches, velocities, strict=True)]
        return np.stack([self.wave(p, min(v, 120.0) / 120.0) for p, v in zip(pitches, velocities, strict=True)])

    def wave(self, pitch, force):
        time_s = np.arange(SAMPLES) / RATE_HZ
        harmonics = np.arange(1, min(20, int(7000 / pitch_hz(pitch))))
        levels = harmonics ** -(1.0 + 1.5 * (1.0 - force))
        tone = np.sin(2 * np.pi * pitch_hz(pitch) * np.outer(time_s, harmonics)) @ levels
        ends = np.clip((time_s - 0.01) / 0.01, 0, 1) * np.clip((3.0 - time_s) / 0.3, 0, 1)
        return (0.2 * force**1.5 * tone * ends).astype(np.float32)


@pytest.fixture
def learned(tmp_path, monkeypatch):
    """A checkpoint that has learned velocity, beside the recipes."""
    first = read_checkpoint(STARTERS["starter@1"], "starter")
    config = first.config.model_copy(update={"velocities": LEARNED})
    write_checkpoint(tmp_path / "struck", config, read_tensors(first))
    monkeypatch.setattr(Struck, "asked", [])
    monkeypatch.setattr("samplepack.pack.build.load_model", lambda checkpoint, engine: Struck())
    return "checkpoint: ./struck\n"


def levels_and_brightness(sfz, key, velocities):
    """Level (dB) and spectral centroid (Hz) of a key at each velocity, in sfizz."""
    synth, _ = play(sfz, key, 0.1, 0.1)
    levels, brightness = [], []
    for velocity in velocities:
        synth._synth.all_sound_off()
        played = np.array(synth.render_note(key, velocity, 1.0, 1.0))[0, 24000:]
        power = np.abs(np.fft.rfft(played * np.hanning(len(played)))) ** 2
        levels.append(10 * np.log10(np.mean(played**2)))
        brightness.append(power @ np.fft.rfftfreq(len(played), 1 / 48000) / power.sum())
    return np.array(levels), np.array(brightness)


def test_the_network_renders_each_layer_at_its_velocity(learned, run, write_recipe, tmp_path):
    recipe = write_recipe(f"{learned}velocity: 3\n", pitches="[48, 60]")
    said = "3 velocity layers, rendered by the network at velocities 24, 72 and 120"
    assert said in run("plan", recipe).out
    built = run("build", recipe, "--output", tmp_path / "output")
    assert built.code == 0, built.err
    # The hardest note is the same one as without layers, for which no velocity is asked.
    assert sorted(Struck.asked) == [(48, 24), (48, 72), (48, 127), (60, 24), (60, 72), (60, 127)]
    pack = tmp_path / "output" / "small"
    (glass,) = read_manifest(pack).instruments
    assert glass.velocities == (24, 72, 120) and glass.axis == "velocity" and len(glass.latents) == 3
    assert said in (pack / "README.md").read_text(encoding="utf-8")
    assert not [problem for report in verify(pack, players()[0]) for problem in report.problems]
    plain = write_recipe(learned, name="plain.yaml", pitches="[48, 60]")
    assert "Glass: 2 notes, 2 of them in the cache" in run("plan", plain).out
    assert "notes: 4 to render anew, 2 as before" in run("diff", plain, recipe).out


@pytest.mark.parametrize("layers", [2, 3, 5])
def test_level_and_brightness_rise_over_learned_layers_without_a_step(learned, run, write_recipe, tmp_path, layers):
    recipe = write_recipe(f"{learned}velocity: {layers}\n", pitches="[48, 60]")
    assert run("build", recipe, "--output", tmp_path / "output").code == 0
    sfz = tmp_path / "output" / "small" / "Instruments" / "Glass.sfz"
    levels, brightness = levels_and_brightness(sfz, 60, range(1, 128))
    steps = np.diff(levels)
    assert steps.min() > -0.05 and steps.max() < 1.0
    # From the softest velocity that the network has learned to the hardest it is as much as the network makes of it.
    force = 20 * np.log10(np.sqrt(np.sum(np.arange(1, 20) ** -2.0) / np.sum(np.arange(1, 20) ** -4.4)) / 0.2**1.5)
    assert levels[119] - levels[23] == pytest.approx(force, abs=1.5)
    assert np.diff(brightness).min() > -1.0 and brightness[-1] > 1.3 * brightness[0]


def test_takes_stereo_and_a_way_to_another_timbre_go_with_a_network_that_has_learned(
    learned, run, write_recipe, tmp_path
):
    more = "velocity: 2\nround_robin: 2\nsound: {channels: stereo}\n"
    assert "Glass: 8 notes" in run("plan", write_recipe(learned + more, pitches="60")).out
    toward = write_recipe(
        f"{learned}velocity: {{layers: 2, toward: Choir}}\n", pitches="60", timbres="{Glass: 7, Choir: 9}"
    )
    assert "2 velocity layers, the softer ones on the way to Choir" in run("plan", toward).out
    assert run("build", toward, "--output", tmp_path / "output").code == 0
    assert {velocity for _, velocity in Struck.asked} == {127}


def test_a_checkpoint_that_has_not_learned_velocity_is_filtered(run, write_recipe, tmp_path):
    recipe = write_recipe("checkpoint: starter@1\nvelocity: 3\n")
    said = "the softer ones by a low-pass filter, since the checkpoint hasn't learned velocity"
    assert f"3 velocity layers, {said}" in run("plan", recipe).out
    assert "by a low-pass filter" in json.loads(run("plan", recipe, "--json").out)["velocity"]


@pytest.mark.parametrize("quieter_db", [8.0, 12.0, 20.0])
def test_tracking_makes_the_soft_velocity_as_much_quieter_as_asked(quieter_db):
    track = velocity_tracking_percent(quieter_db, 24, 120) / 100.0
    soft, hard = (1.0 - track * (1.0 - (velocity / 127.0) ** 2) for velocity in (24, 120))
    assert 20.0 * np.log10(hard / soft) == pytest.approx(quieter_db, abs=0.4)


def test_tracking_stays_within_bounds():
    assert velocity_tracking_percent(-3.0, 24, 120) == 50 and velocity_tracking_percent(60.0, 24, 127) == 98
