import numpy as np
import pytest

from samplepack.sound.fingerprint import difference_snr_db, fingerprint, is_fingerprint

RNG = np.random.default_rng(0)
NOISE = RNG.standard_normal(64_000).astype(np.float32)
TONE = np.sin(np.arange(63_999, dtype=np.float32) * 0.1)


@pytest.mark.parametrize("wave", [NOISE * 0.2, TONE, TONE[:5], NOISE * 1e-3], ids=["noise", "tone", "short", "quiet"])
def test_a_wave_agrees_with_itself_to_the_last_bit(wave):
    line = fingerprint(wave)
    assert is_fingerprint(line) and difference_snr_db(line, fingerprint(wave.copy())) == float("inf")
    changed = wave.copy()
    changed[3] = np.nextafter(changed[3], np.float32(1))
    assert difference_snr_db(line, fingerprint(changed)) < float("inf")


@pytest.mark.parametrize("below_db", [20, 60, 100])
def test_the_sketch_tells_how_far_two_waves_lie_apart(below_db):
    measured_db = [
        difference_snr_db(
            fingerprint(TONE), fingerprint(TONE + 10 ** (-below_db / 20) * np.sqrt(0.5) * RNG.permutation(NOISE)[:-1])
        )
        for _ in range(30)
    ]
    assert abs(np.median(measured_db) - below_db) < 1.5 and np.abs(np.array(measured_db) - below_db).max() < 7


def test_other_waves_do_not_agree():
    assert difference_snr_db(fingerprint(TONE), fingerprint(-TONE)) < 0
    assert difference_snr_db(fingerprint(TONE), fingerprint(np.zeros_like(TONE))) < 1
