from itertools import pairwise

import numpy as np
import pytest

from samplepack.models.latent import latent_from_seed, lerp, path_points, slerp

A, B = latent_from_seed(7, 32), latent_from_seed(1312, 32)


def test_a_seed_is_what_magenta_draws_after_seeding_numpy():
    np.random.seed(7)
    assert np.array_equal(latent_from_seed(7, 256), np.random.normal(size=[1, 256])[0].astype(np.float32))


def test_a_seeds_latent_is_frozen():
    assert latent_from_seed(7, 3).tolist() == pytest.approx([1.6905257, -0.46593738, 0.03282016], abs=1e-7)


def test_slerp_starts_and_ends_where_it_should_and_keeps_the_length_between_equal_ones():
    a, b = A / np.linalg.norm(A), B / np.linalg.norm(B)
    assert np.allclose(slerp(a, b, 0.0), a, atol=1e-6)
    assert np.allclose(slerp(a, b, 1.0), b, atol=1e-6)
    assert [np.linalg.norm(slerp(a, b, t)) for t in (0.2, 0.5, 0.9)] == pytest.approx([1.0] * 3, abs=1e-6)


def test_slerp_between_parallel_latents_is_the_straight_line_not_nan():
    assert np.allclose(slerp(A, A, 0.3), A)
    assert np.allclose(slerp(A, 3 * A, 0.5), 2 * A)


@pytest.mark.parametrize("interpolation", ["slerp", "linear"])
def test_even_spacing_makes_steps_of_one_length_where_segments_differ(interpolation):
    through = [A, A + 0.1 * B, B]
    for steps in (2, 5, 9):
        points = path_points(through, steps, "even", interpolation)
        lengths = [np.linalg.norm(q - p) for p, q in pairwise(points)]
        assert len(points) == steps
        assert max(lengths) / min(lengths) < 1.2  # a chord across a bend is shorter than the path
        assert np.array_equal(points[0], A) and np.array_equal(points[-1], B)


def test_uniform_spacing_gives_each_segment_the_same_number_of_steps():
    points = path_points([A, A + 0.1 * B, B], 5, "uniform", "linear")
    assert np.allclose(points[2], A + 0.1 * B, atol=1e-6)
    assert np.allclose(points[1], A + 0.05 * B, atol=1e-6)


def test_a_latent_of_zeros_has_straight_lines_in_place_of_arcs():
    zero, other = np.zeros(4, np.float32), np.arange(4, dtype=np.float32)
    for position in (0.0, 0.25, 1.0):
        np.testing.assert_array_equal(slerp(zero, other, position), lerp(zero, other, position))
        np.testing.assert_array_equal(slerp(other, zero, position), lerp(other, zero, position))


def test_a_path_that_stays_in_place_is_no_division_by_zero():
    assert all(np.array_equal(point, A) for point in path_points([A, A], 3))
