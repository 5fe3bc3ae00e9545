"""Walks: long sounds through latent space, and instruments of them."""

import numpy as np
import pytest
import soundfile

from samplepack.clips.walk import walk_latents


def test_a_walk_passes_its_key_points():
    points = [np.random.RandomState(seed).standard_normal(8).astype("float32") for seed in (3, 17, 8, 3)]
    passed = walk_latents(points, 5)
    assert len(passed) == 16
    for i, point in enumerate(points):
        np.testing.assert_allclose(passed[5 * i], point, atol=1e-6)


def test_a_walk_is_a_long_sound_and_an_instrument(run, write_recipe, tmp_path):
    recipe = write_recipe(timbres="{Glass: 7, Choir: 12}")
    ran = run("walk", recipe, "-o", tmp_path / "w/walk.wav", "--steps", "4", "--spacing", "0.5", "--instrument")
    assert ran.code == 0, ran.err
    # Five notes, half a second apart, the last of which fades out in 1.8 s.
    assert soundfile.info(tmp_path / "w/walk.wav").duration == pytest.approx(4 * 0.5 + 1.8, abs=0.3)
    assert "lokey=0 hikey=127 pitch_keycenter=48" in (tmp_path / "w/walk.sfz").read_text()
    # Both files can be moved together.
    assert "\nsample=walk.wav\n" in (tmp_path / "w/walk.sfz").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--spacing", "nan"], "should be numbers of seconds"),
        (["--attack", "0", "--sustain", "0", "--decay", "0"], "is silence"),
        (["--seeds", "3,x"], "'x' is no seed"),
        (["--steps", "1000", "--seeds", "1,2,3"], "a walk of 2001 steps; it takes 1000 at most"),
        (["--pitch", "12"], "pitch 12 is outside what the checkpoint can play, 24-84"),
    ],
)
def test_a_walk_that_cannot_be_is_told_in_a_line(run, write_recipe, tmp_path, arguments, message):
    ran = run("walk", write_recipe(), "-o", tmp_path / "walk.wav", *arguments)
    assert ran.code == 2 and message in ran.err and ran.err.count("\n") == 1
