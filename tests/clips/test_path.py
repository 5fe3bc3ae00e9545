"""Paths of timbres against those of Magenta's `generate_util`, where these are finite."""

import numpy as np
import pytest

from samplepack.clips.path import TimbrePath, random_path
from samplepack.models.latent import slerp
from tests.helpers.places import FIXTURES

MAGENTA = np.load(FIXTURES / "clip.npz")


def test_latents_between_two_timbres_are_magentas():
    for one, two, t, out in zip(*(MAGENTA[f"slerp_{name}"] for name in ("p0", "p1", "t", "out")), strict=True):
        np.testing.assert_allclose(slerp(one, two, float(t)), out, atol=1e-6)


@pytest.mark.parametrize("case", ["a", "b"])
def test_each_note_has_magentas_latent(case):
    path = TimbrePath(tuple(MAGENTA[f"zn_{case}_t"]), tuple(MAGENTA[f"zn_{case}_z"]))
    for start_s, out in zip(MAGENTA[f"zn_{case}_start"], MAGENTA[f"zn_{case}_out"], strict=True):
        np.testing.assert_allclose(path.at(float(start_s)), out, atol=1e-6)


def test_before_the_first_timbre_and_after_the_last_one_there_is_no_extrapolation():
    rng = np.random.default_rng(0)
    path = TimbrePath((1.0, 2.0), tuple(rng.standard_normal((2, 8)).astype("float32")))
    assert np.array_equal(path.at(0.0), path.latents[0])
    assert np.array_equal(path.at(9.5), path.latents[1])


def test_equal_timbres_give_that_timbre_where_magenta_gives_nan():
    z = np.ones(8, np.float32)
    np.testing.assert_allclose(TimbrePath((0.0, 1.0), (z, z)).at(0.5), z)


def test_random_timbres_are_magentas():
    path = random_path(30.0, 6.0, seed=0, latent_dim=256)
    np.testing.assert_allclose(path.latents, MAGENTA["ri_z_seed0_30s"], atol=1e-6)
    # Magenta's first one stands a little before the start, so that a note at 0 has one before it.
    np.testing.assert_allclose(path.times_s, MAGENTA["ri_t_30s"], atol=1.1e-4)


def test_a_clip_shorter_than_one_instrument_has_one():
    assert len(random_path(1.0, 6.0, seed=0, latent_dim=4).latents) == 1


def test_notes_are_coloured_by_their_place_along_the_path():
    z = np.ones(4, np.float32)
    path = TimbrePath((0.0, 9.0, 10.0), (z, z, z))
    assert [path.position(t) for t in (0.0, 4.5, 9.0, 9.5, 12.0)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert TimbrePath((0.0,), (z,)).position(3.0) == 0.0
