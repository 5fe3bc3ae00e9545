"""Envelopes, controllers and velocity, as sfizz plays them."""

import re

import numpy as np
import pytest

from samplepack.finishing import process
from samplepack.recipe import load_recipe
from tests.helpers.packs import build, play

RATE_HZ, BLOCK = 48000, 240
KEY = 60


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("play")
    effects = "process: [Reverb: {room_size: 0.8, wet_level: 0.4}]\n"
    for name, more in (("dry", ""), ("wet", effects)):
        text = f"recipe: 1\nname: {name}\npitches: {KEY}\ntimbres: {{Bow: {{instrument: Viola}}}}\n{more}"
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def maps(recipes):
    packs = {n: build(recipes / f"{n}.yaml", recipes / "output", recipes / "cache").folder for n in ("dry", "wet")}
    return {name: folder / "Instruments" / "Bow.sfz" for name, folder in packs.items()}


def perform(sfz, velocity=127, held_s=1.5, total_s=1.5, **controllers):
    """A key in sfizz, with controllers `cc74=0` that are set before it is struck."""
    synth, _ = play(sfz, KEY, 0.1, 0.1)
    player = synth._synth
    player.all_sound_off()
    player.set_block_size(BLOCK)
    player.enable_freewheeling()
    for name, value in controllers.items():
        player.cc(0, int(name.removeprefix("cc")), value)
    player.note_on(0, KEY, velocity)
    blocks = []
    for block in range(int(total_s * RATE_HZ / BLOCK)):
        if block == int(held_s * RATE_HZ / BLOCK):
            player.note_off(0, KEY, 0)
        blocks.append(np.array(player.render_block()))
    return np.concatenate(blocks, axis=1)


def centroid_hz(played):
    heard = played[0, RATE_HZ // 2 : RATE_HZ * 3 // 2]
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)))) ** 2
    return power @ np.fft.rfftfreq(len(heard), 1 / RATE_HZ) / power.sum()


def falls_after_s(played, held_s, down_db=60.0):
    """The time from key-up until the level has fallen."""
    power = np.convolve(np.mean(played**2, axis=0), np.ones(2400) / 2400, "same")[::480]
    up = int(held_s * 100)
    fallen = power[up:] < power[up - 20 : up - 5].mean() * 10 ** (-down_db / 10)
    return np.argmax(fallen) / 100 if fallen.any() else np.inf


def without_filter_and_vibrato(sfz):
    """The map without the lines of its filter and of its vibrato."""
    text = re.sub(r"(?m)^(fil_|cutoff_|resonance_|lfo1_).*\n| fil_keycenter=\d+", "", sfz.read_text(encoding="utf-8"))
    assert not re.search(r"(?m)\b(fil|cutoff|resonance|lfo1)_", text)
    bare = sfz.with_name(f"bare-{sfz.name}")
    bare.write_text(text, encoding="utf-8")
    return bare


def test_harder_is_brighter_by_half_and_more(maps):
    soft, middle, hard = (centroid_hz(perform(maps["dry"], velocity)) for velocity in (20, 64, 127))
    assert hard > 1.5 * soft and soft < 1.05 * middle and middle < 1.05 * hard


def test_controllers_at_rest_leave_the_hardest_note_as_it_is(maps):
    played = perform(maps["dry"])
    bare = perform(without_filter_and_vibrato(maps["dry"]))
    difference = np.mean((played - bare) ** 2) / np.mean(bare**2)
    assert difference < 1e-3


def test_brightness_and_resonance_are_on_their_controllers(maps):
    open_, dark = perform(maps["dry"]), perform(maps["dry"], cc74=10)
    resonant = perform(maps["dry"], cc74=20, cc71=127)
    assert centroid_hz(dark) < 0.8 * centroid_hz(open_)
    assert np.mean(resonant**2) > 1.3 * np.mean(perform(maps["dry"], cc74=20) ** 2)


def test_attack_and_release_are_on_their_controllers(maps):
    def rises_after_s(played):
        power = np.convolve(np.mean(played**2, axis=0), np.ones(480) / 480, "same")
        return np.argmax(power > power[-RATE_HZ // 2 :].mean() / 4) / RATE_HZ

    slow = perform(maps["dry"], held_s=4.0, total_s=4.0, cc73=127)
    assert rises_after_s(slow) > 0.5 > 0.1 > rises_after_s(perform(maps["dry"], held_s=4.0, total_s=4.0))
    short, long = (perform(maps["dry"], held_s=0.6, total_s=4.0, cc72=value) for value in (0, 127))
    assert falls_after_s(short, 0.6, 40.0) < 0.6 < 1.2 < falls_after_s(long, 0.6, 40.0)


def test_the_wheel_bends_two_semitones(maps):
    synth, _ = play(maps["dry"], KEY, 0.1, 0.1)
    synth._synth.pitch_wheel(0, 8191)
    played = np.array(synth.render_note(KEY, 127, 1.5, 1.5))[0, RATE_HZ // 4 :]
    spectrum = np.abs(np.fft.rfft(played * np.hanning(len(played)), 1 << 19))
    hz = np.arange(len(spectrum)) * RATE_HZ / (1 << 19)
    near = np.abs(1200 * np.log2(np.maximum(hz, 1.0) / 293.665)) < 100
    assert abs(1200 * np.log2(hz[near][np.argmax(spectrum[near])] / 293.665)) < 5


def test_aftertouch_brings_vibrato_in(maps):
    # pysfizz sends no aftertouch, so the map itself sets its controller.
    text = maps["dry"].read_text(encoding="utf-8")
    pressed = maps["dry"].with_name("pressed.sfz")
    pressed.write_text(text.replace("set_cc71=0", "set_cc71=0\nset_cc129=127"), encoding="utf-8")

    def sideband(sfz):
        played = perform(sfz, held_s=3.0, total_s=3.0)[0, RATE_HZ:]
        spectrum = np.abs(np.fft.rfft(played * np.hanning(len(played))))
        return spectrum[2 * 267 - 3 : 2 * 267 + 4].max() / spectrum[2 * 262 - 3 : 2 * 262 + 4].max()

    assert sideband(pressed) > 3 * sideband(maps["dry"])


@pytest.mark.parametrize("held_s", [0.6, 3.0])
def test_effects_ring_on_after_key_up(recipes, maps, held_s):
    recipe = load_recipe(recipes / "wet.yaml").recipe
    tail_s = process.tail_s(recipe.effects, RATE_HZ, down_to_db=-60.0)
    assert tail_s > 1.0 and recipe.playing(16000).least_release_s == pytest.approx(2 * tail_s, abs=0.06)
    total_s = held_s + 3 * tail_s
    wet = falls_after_s(perform(maps["wet"], held_s=held_s, total_s=total_s), held_s)
    assert wet > 0.5 * tail_s
    assert wet > 2 * falls_after_s(perform(maps["dry"], held_s=held_s, total_s=total_s), held_s)
