"""Evaluating a checkpoint: what its measures say of sounds that are known, and what comes of bad input."""

import functools
import json
import re
import sys

import numpy as np
import pytest

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.progress import Task, silent
from samplepack.datasets.dataset import read_dataset, writing
from samplepack.evaluation import evaluate as evaluating
from samplepack.evaluation import likeness, measures, report
from samplepack.evaluation.bars import Bar, as_text
from samplepack.evaluation.comparison import Comparison
from samplepack.evaluation.evaluate import evaluate
from samplepack.evaluation.keys import partial_levels
from samplepack.models.backend import start_backend
from samplepack.models.checkpoint import Config, read_checkpoint, write_checkpoint
from samplepack.sound.audio import read
from samplepack.sound.pitch import pitch_hz
from samplepack.training.card import write_card

RATE_HZ, SAMPLES = 16000, 4096
INSTRUMENTS = {"Flute": 3.0, "Reed": 1.0, "Bell": 0.3}
"""Name → how steeply its partials fall."""

rng = np.random.default_rng(4)
noise = rng.standard_normal(4 * SAMPLES).astype("float32") * 0.1


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Fewer notes than a user's evaluation takes."""
    for amount, value in {
        "PITCHES": range(36, 85, 12),
        "_LATENTS_OF_A_KIND": 2,
        "_REAL_NOTES_HEARD": 10,
        "_DIVERSE": 4,
        "_WALKS": 2,
        "_RANDOM": 8,
        "_HEARD": 6,
    }.items():
        assert hasattr(evaluating, amount)
        monkeypatch.setattr(evaluating, amount, value)
    monkeypatch.setattr(likeness, "_EXAMPLES", 1)


@functools.cache
def tone(pitch, steepness=1.0, samples=SAMPLES, rate_hz=RATE_HZ):
    time_s = np.arange(samples) / rate_hz
    partials = range(1, int(0.45 * rate_hz / pitch_hz(pitch)) + 1)
    wave = sum(np.sin(2 * np.pi * pitch_hz(pitch) * k * time_s) / k**steepness for k in partials)
    return np.asarray(0.8 * wave / np.abs(wave).max(), "float32")


def distance(one, other):
    return measures.log_spectral_distance_db(measures.spectra(one, RATE_HZ), measures.spectra(other, RATE_HZ))


def test_a_note_is_no_distance_from_itself_and_as_far_as_its_level_from_a_quieter_one():
    assert distance(noise, noise) == 0.0
    assert distance(noise, 0.5 * noise) == pytest.approx(6.02, abs=0.01)
    assert measures.loud_bins_db(
        measures.spectra(noise, RATE_HZ), measures.spectra(0.5 * noise, RATE_HZ)
    ) == pytest.approx(-6.02, abs=0.01)


def test_the_distance_of_silence_is_finite():
    assert 40.0 < distance(noise, np.zeros_like(noise)) <= 60.0
    assert distance(np.zeros_like(noise), np.zeros_like(noise)) == 0.0


def test_mel_filters_are_librosas():
    filters = measures.mel_filters(16000)
    assert filters.shape == (1025, 64)
    # librosa.filters.mel(sr=16000, n_fft=2048, n_mels=64), of librosa 0.9.2
    for band, bin_, height in (
        (0, 6, 0.021331151947379112),
        (20, 125, 0.020423438400030136),
        (40, 325, 0.008078438229858875),
        (63, 976, 0.002730021486058831),
    ):
        assert filters[:, band].argmax() == bin_
        assert filters[bin_, band] == pytest.approx(height, abs=1e-8)


def test_the_distance_between_timbres_is_that_of_sounds_not_of_levels():
    dark, bright = (measures.log_mel(tone(60, steepness), RATE_HZ) for steepness in (3.0, 0.3))
    assert measures.log_mel_distance_db(dark, measures.log_mel(0.01 * tone(60, 3.0), RATE_HZ)) < 0.01
    assert measures.log_mel_distance_db(dark, bright) > 3.0
    assert measures.pairwise_distances_db([dark, dark, bright]) == pytest.approx(
        [0.0] + 2 * [measures.log_mel_distance_db(dark, bright)]
    )


@pytest.mark.parametrize("ramp_ms, least_ms, most_ms", [(0, 5, 12), (100, 55, 70), (300, 180, 210)])
def test_an_attack_takes_as_long_as_its_ramp_from_10_to_71_percent(ramp_ms, least_ms, most_ms):
    wave = tone(69, samples=16000)
    ramp = np.minimum(1.0, np.arange(16000) / (16.0 * ramp_ms + 1e-9))
    late = np.pad(wave * ramp, (800, 0)).astype("float32")
    assert least_ms < measures.attack_ms(wave * ramp, RATE_HZ) < most_ms
    assert measures.attack_ms(late, RATE_HZ) == pytest.approx(measures.attack_ms(wave * ramp, RATE_HZ), abs=11)


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_a_slower_attack_has_less_spectral_flux(rate_hz):
    wave = tone(60, samples=rate_hz, rate_hz=rate_hz)
    time_ms = np.arange(rate_hz) * 1000.0 / rate_hz
    fluxes = [
        measures.onset_flux(wave * np.minimum(1.0, time_ms / (ramp_ms + 1e-9)).astype("float32"), rate_hz)
        for ramp_ms in (0, 30, 100, 300)
    ]
    assert fluxes == sorted(fluxes, reverse=True)
    assert 0.9 < fluxes[0] < 1.6 and fluxes[3] == pytest.approx(0.3, abs=0.06)
    struck = wave.copy()
    struck[: rate_hz // 100] += np.resize(5.0 * noise, rate_hz // 100)
    assert measures.onset_flux(struck, rate_hz) > fluxes[0] + 0.2
    late = np.pad(wave, (rate_hz // 10, 0))
    assert measures.onset_flux(late, rate_hz) == pytest.approx(fluxes[0], abs=0.1)
    assert measures.onset_flux(0.1 * wave, rate_hz) == pytest.approx(fluxes[0], abs=0.01)
    assert measures.onset_flux(np.zeros(rate_hz, "float32"), rate_hz) == 0.0


def test_treble_is_the_share_of_power_above_8_khz():
    time_s = np.arange(48000) / 48000.0
    low, high = (np.sin(2 * np.pi * hz * time_s).astype("float32") for hz in (440.0, 12000.0))
    assert measures.treble_db(low + high, 48000) == pytest.approx(-3.01, abs=0.05)
    full = measures.treble_db(low + 0.1 * high, 48000)
    assert full == pytest.approx(-20.04, abs=0.05)
    # half the amplitude above 8 kHz is 6 dB less of it
    assert full - measures.treble_db(low + 0.05 * high, 48000) == pytest.approx(6.0, abs=0.05)
    assert measures.treble_db(low, 48000) < -60.0
    assert measures.treble_db(np.zeros(480, "float32"), 48000) == -100.0


def test_measures_of_a_note_are_nearly_the_same_at_another_rate():
    low, high = (tone(60, 2.0, 4 * rate_hz, rate_hz) for rate_hz in (16000, 48000))
    assert measures.spectra(low, 16000).shape == (122, 1025) and measures.spectra(high, 48000).shape == (122, 3073)
    for of in (measures.attack_ms, measures.onset_flux):
        assert of(high, 48000) == pytest.approx(of(low, 16000), rel=0.1)
    assert measures.noise_db(high, 60, 48000) == pytest.approx(measures.noise_db(low, 60, 16000), abs=1.0)


@pytest.mark.parametrize("pitch", [36, 60, 84])
def test_noise_is_measured_between_partials(pitch):
    steady = tone(pitch, samples=16384)
    assert measures.noise_db(steady, pitch, RATE_HZ) < -50.0
    assert measures.noise_db(noise, pitch, RATE_HZ) == pytest.approx(-1.6, abs=0.3)
    share_db = 10.0 * np.log10(np.mean(noise**2) / np.mean((steady + noise) ** 2))
    assert measures.noise_db(steady + noise, pitch, RATE_HZ) == pytest.approx(share_db - 1.6, abs=1.0)
    assert measures.noise_db(tone(pitch, samples=2048), pitch, RATE_HZ) < -1.6  # no window holds half a second
    assert measures.noise_db(np.zeros(16384, "float32"), pitch, RATE_HZ) <= 0.0


def test_noise_of_pitches_beyond_what_spectra_resolve_is_finite():
    for pitch, rate_hz in ((0, 44100), (127, 16000)):
        assert np.isfinite(measures.noise_db(noise[:2048], pitch, rate_hz))


def test_levels_are_of_full_scale():
    assert measures.level_db(np.sin(np.arange(16000) * 0.1).astype("float32")) == pytest.approx(-3.01, abs=0.02)
    assert measures.level_db(np.zeros(16, "float32")) == -200.0


def write_tiny(folder, instruments=tuple(INSTRUMENTS), **changes):
    """A network of random weights, four blocks of which make an image of 32 × 256."""
    start_backend()
    from samplepack.models.config import GANSynthConfig

    values = {
        "family": "gansynth",
        "latent_dim": 4,
        "latent_normalisation": "shell",
        "pitches": (36, 84),
        "sample_rate_hz": RATE_HZ,
        "frames": 32,
        "bins": 256,
        "samples": SAMPLES,
        "start": (4, 32),
        "channels": (4, 4, 4, 2),
        "normaliser": {"magnitude": (0.0661371661726, 0.113718730221), "frequency": (0.8, 0.0)},
        "decoder": {"phase": "direct", "floor_power": 0.0},
        "instruments": list(instruments),
        "provenance": {"held_out": 0.3},
        **changes,
    }
    config = GANSynthConfig.model_validate(values)
    draw = np.random.default_rng(1)
    tensors = {name: draw.standard_normal(shape).astype("float32") for name, shape in config.tensor_shapes().items()}
    write_checkpoint(folder, Config.model_validate(config.model_dump()), tensors)
    return read_checkpoint(folder, "tiny")


def write_set(folder, names=tuple(INSTRUMENTS), rate_hz=RATE_HZ, samples=SAMPLES, pitches=range(36, 85, 4)):
    about = {"title": "Three tones", "source": "a formula", "license": "", "rate_hz": rate_hz, "samples": samples}
    with writing(folder, **about) as writer:
        for name, steepness in zip(names, INSTRUMENTS.values(), strict=False):
            for pitch in pitches:
                wave = tone(pitch, steepness, samples, rate_hz)
                writer.add(wave, instrument=name, pitch=pitch, source=f"{name} {pitch}", cents=0.0)
    return read_dataset(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("tiny") / "checkpoint")


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("tones") / "set")


def test_a_network_of_random_weights_is_judged_in_every_way(tiny, tones):
    reports = []
    evaluation = evaluate(tiny, tones, progress=lambda *report: reports.append(report))
    figures = evaluation.figures
    task, done, total = reports[-1][:3]
    assert task == tiny.name and done == total > 100
    assert figures.held_out_share == 0.3 and figures.remarks == []
    assert figures.pitch["real"].within_50_cents == 1.0 and figures.pitch["real"].median_cents < 5.0
    assert set(figures.pitch) == {"real", "trained", "interpolated", "mixed", "random"}
    assert all(pitch.notes == 10 for kind, pitch in figures.pitch.items() if kind != "real")
    held_out = {(note.instrument, note.pitch) for note in figures.held_out.notes}
    assert held_out == {
        (note.instrument, note.pitch)
        for note, is_held_out in zip(tones.contents.notes, tones.held_out(0.3), strict=True)
        if is_held_out
    }
    assert len(held_out) + len(figures.trained.notes) == len(tones.contents.notes)
    assert figures.held_out.floor_db < figures.held_out.distance_db
    assert figures.retrieval.notes == len(held_out) and figures.retrieval.top_5 == 1.0
    assert len(figures.diversity.distances_db["real"]) == 3 and figures.diversity.random_to_real > 0.0
    assert np.shape(figures.smoothness.uniform_db) == np.shape(figures.smoothness.evened_db) == (2, 10)
    assert figures.silence.notes == 8
    assert len(evaluation.examples) == 1 and evaluation.examples[0].real.shape == (SAMPLES,)


@pytest.fixture
def perfect(monkeypatch, tones):
    """A network that gives each instrument's real notes for its latent, and tones for any other."""
    known = {(note.instrument, note.pitch): tones.wave(i) for i, note in enumerate(tones.contents.notes)}

    def play(comparison, latents, pitches):
        waves = []
        for latent, pitch in zip(latents, pitches, strict=True):
            nearest = int(np.argmax(comparison.trained @ latent / np.linalg.norm(comparison.trained, axis=1)))
            waves.append(known.get((list(INSTRUMENTS)[nearest], int(pitch)), tone(int(pitch))))
        return np.stack(waves)

    monkeypatch.setattr(Comparison, "play", play)
    monkeypatch.setattr(Comparison, "round_trip", lambda comparison, waves: waves)


def test_a_network_that_gives_the_real_notes_back_is_perfect(tiny, tones, perfect):
    figures = evaluate(tiny, tones).figures
    for judged in (figures.held_out, figures.trained):
        assert judged.distance_db == judged.floor_db == judged.loud_bins_db == 0.0
        assert judged.attack_error_ms == judged.noise_error_db == judged.flux_error == 0.0
        assert judged.score.mean == judged.score.tenth_percentile == 5.0
        assert judged.vibrato is judged.tremolo is judged.treble is None
    assert figures.held_out.round_trip_score.mean == 5.0 and figures.trained.round_trip_score is None
    assert all(key.found.top_1 == 1.0 for key in figures.keys)
    assert figures.retrieval.top_1 == 1.0
    assert all(pitch.within_50_cents == 1.0 for pitch in figures.pitch.values())
    assert figures.diversity.means_db["trained"] == pytest.approx(figures.diversity.means_db["real"])
    assert figures.silence.nearly_silent == 0
    assert figures.smoothness.uniform_largest > 4.0  # one jump in each walk


def test_notes_are_judged_at_their_hardest_velocity(tmp_path, tiny, tones, perfect):
    about = {"title": "Three tones", "source": "a formula", "license": "", "rate_hz": RATE_HZ, "samples": SAMPLES}
    with writing(tmp_path / "set", **about) as writer:
        for i, note in enumerate(tones.contents.notes):
            for velocity, wave in ((40, tone(note.pitch, 6.0)), (110, tones.wave(i)), (80, tone(note.pitch, 4.0))):
                writer.add(wave, instrument=note.instrument, pitch=note.pitch, source="", cents=0.0, velocity=velocity)
    figures = evaluate(tiny, read_dataset(tmp_path / "set")).figures
    assert len(figures.held_out.notes) + len(figures.trained.notes) == len(tones.contents.notes)
    assert figures.held_out.distance_db == figures.trained.distance_db == 0.0
    assert figures.retrieval.top_1 == 1.0 and all(key.found.top_1 == 1.0 for key in figures.keys)


def test_what_velocity_does_is_measured_beside_the_real_notes(tmp_path, monkeypatch):
    about = {"title": "Tones", "source": "a formula", "license": "", "rate_hz": RATE_HZ, "samples": SAMPLES}
    with writing(tmp_path / "set", **about) as writer:
        for name in INSTRUMENTS:
            for pitch in range(36, 85, 8):
                for velocity, gain, steepness in ((40, 0.25, 2.0), (110, 1.0, 1.0)):
                    wave = gain * tone(pitch, steepness)
                    writer.add(wave, instrument=name, pitch=pitch, source="", cents=0.0, velocity=velocity)

    def play(comparison, latents, pitches, velocities=None):
        velocities = np.full(len(pitches), 110) if velocities is None else velocities
        return np.stack([tone(int(p)) * (1.0 if v == 110 else 0.5) for p, v in zip(pitches, velocities, strict=True)])

    monkeypatch.setattr(Comparison, "play", play)
    figures = evaluate(
        write_tiny(tmp_path / "checkpoint", velocities=(40, 110)), read_dataset(tmp_path / "set")
    ).figures
    found = figures.velocity
    assert found.pairs == min(len(figures.held_out.notes), evaluating._HEARD)
    assert found.louder_db == pytest.approx(6.02, abs=0.01) and found.brighter == pytest.approx(1.0)
    rms_db = [20 * np.log10(np.std(tone(60, 1.0)) / np.std(tone(60, 2.0)))]
    assert found.real_louder_db == pytest.approx(12.04 + rms_db[0], abs=1.0) and found.real_brighter > 1.5
    assert found.level_error_db == pytest.approx(found.real_louder_db - found.louder_db, abs=1.0)
    assert found.brightness_error == pytest.approx(1.0 - 1.0 / found.real_brighter, abs=0.1)


def test_timbres_are_found_all_over_the_keys_if_they_are_steady(tiny, tones, perfect, monkeypatch):
    steady = evaluate(tiny, tones).figures.keys
    assert [key.pitch for key in steady] == [36, 60, 84]
    assert all(key.found.notes == key.real_found.notes == 3 and key.real_found.top_1 == 1.0 for key in steady)
    assert steady[1].found_by_middle is None
    for key in (steady[0], steady[2]):
        assert key.found_by_middle == key.real_found_by_middle and key.found_by_middle.top_1 == 1.0
    real = Comparison.play

    def changed(comparison, latents, pitches):
        """Notes of the top octave are those of the next instrument."""
        for latent, pitch in zip(latents, pitches, strict=True):
            first = int(np.argmax(comparison.trained @ latent / np.linalg.norm(comparison.trained, axis=1)))
            moved = comparison.trained[(first + (pitch > 72)) % 3]
            yield from real(comparison, moved[np.newaxis], np.array([pitch]))

    monkeypatch.setattr(Comparison, "play", changed)
    assert [key.found.top_1 for key in evaluate(tiny, tones).figures.keys] == [1.0, 1.0, 0.0]


def test_partials_tell_timbres_apart_whatever_the_pitch():
    def levels(pitch, steepness):
        return partial_levels(tone(pitch, steepness, 64000), pitch, RATE_HZ)

    assert levels(60, 1.0).shape == (8, 6)
    assert levels(60, 1.0)[4] == pytest.approx(-20.0 * np.log10(np.arange(1, 7)), abs=0.2)
    for pitch in (36, 84):
        assert np.abs(levels(pitch, 1.0) - levels(60, 1.0)).mean() < 0.5
        assert np.abs(levels(pitch, 0.3) - levels(60, 1.0)).mean() > 5.0
    assert np.isnan(partial_levels(tone(96, 1.0, 64000), 96, RATE_HZ)[:, 3:]).all()  # above half the rate


def test_the_real_notes_are_heard_at_the_rate_of_the_set(tmp_path, tiny, perfect):
    """What a checkpoint of 16 kHz lacks is heard beside a set of 48 kHz, and all else is measured at 16 kHz."""
    fine = write_set(tmp_path / "fine", rate_hz=48000, samples=3 * SAMPLES)
    evaluation = evaluate(tiny, fine)
    figures, worst = evaluation.figures, evaluation.worst
    assert evaluation.rate_hz == RATE_HZ and evaluation.heard_rate_hz == 48000
    assert len(worst) == 10 and [heard.score for heard in worst] == sorted(heard.score for heard in worst)
    assert all(len(heard.real) == len(heard.made) == 3 * SAMPLES for heard in worst)
    assert all(example.real.shape == (SAMPLES,) for example in evaluation.examples)
    assert {note.pitch for note in figures.held_out.notes} <= set(range(36, 85))
    assert worst[0].instrument == "Bell" and 3.0 < worst[0].score < 4.95  # the brightest lacks most
    scores = figures.trained.score.by_instrument
    assert list(scores) == sorted(scores, key=scores.get) and scores["Flute"] > 4.9 > scores["Reed"]
    assert figures.held_out.distance_db < 3.0 and figures.retrieval.top_1 == 1.0


def test_level_above_8_khz_and_modulation_are_measured_beside_the_real_ones(tmp_path, monkeypatch):
    rate_hz, samples = 32000, 64000
    time_s = np.arange(samples) / rate_hz
    sway = 5.0 * np.sin(2 * np.pi * 5.5 * time_s)

    @functools.cache
    def darker(pitch):
        spectrum = np.fft.rfft(tone(pitch, 0.3, samples, rate_hz))
        spectrum[np.fft.rfftfreq(samples, 1.0 / rate_hz) > 8000.0] *= 10.0 ** (-12.0 / 20.0)
        return np.fft.irfft(spectrum).astype("float32")

    monkeypatch.setattr(
        Comparison, "play", lambda comparison, latents, pitches: np.stack([darker(int(pitch)) for pitch in pitches])
    )
    checkpoint = write_tiny(
        tmp_path / "checkpoint", sample_rate_hz=rate_hz, samples=samples, start=(64, 32), frames=512
    )
    about = {"title": "Trembling", "source": "a formula", "license": "", "rate_hz": rate_hz, "samples": samples}
    with writing(tmp_path / "set", **about) as writer:
        for name in ("Bell", "Reed"):
            for pitch in range(48, 80, 8):
                wave = tone(pitch, 0.3, samples, rate_hz) * (10.0 ** (sway / 20.0)).astype("float32")
                writer.add(wave, instrument=name, pitch=pitch, source="", cents=0.0)
    figures = evaluate(checkpoint, read_dataset(tmp_path / "set")).figures
    for found in (figures.held_out, figures.trained):
        assert found.treble.instruments == len({note.instrument for note in found.notes})
        assert found.treble.made_db - found.treble.real_db == pytest.approx(-11.0, abs=1.5)
        assert found.tremolo.real_depth == pytest.approx(5.0, abs=0.3)
        assert found.tremolo.real_rate_hz == pytest.approx(5.5, abs=0.1)
        assert found.tremolo.depth < 0.1 and found.tremolo.notes == 0 and found.tremolo.rate_hz is None
        assert found.vibrato is None
    table = {row.what: row for row in report.rows(figures)}
    assert re.fullmatch(r"0\.0 dB, clear in 0 of \d+", table["tremolo, trained"].measured)
    assert table["tremolo, trained"].beside == "real 5.0 dB at 5.5 Hz"
    assert "2 bright instruments" in table["level above 8 kHz, trained"].beside


def test_without_zimtohrli_the_score_is_left_out_and_it_is_said_how_to_get_it(tiny, tones, perfect, monkeypatch):
    monkeypatch.setitem(sys.modules, "zimtohrli", None)
    evaluation = evaluate(tiny, tones)
    assert evaluation.figures.held_out.score is evaluation.figures.trained.score is None and evaluation.worst == []
    assert evaluation.figures.remarks == [
        "how much notes sound like the real ones has no score: it takes Zimtohrli, pip install zimtohrli"
    ]
    assert not any("score" in row.what for row in report.rows(evaluation.figures))


def test_the_first_notes_drawn_are_of_all_instruments(tiny, tones):
    comparison = Comparison(tiny, tones, Task("", silent))
    drawn = evaluating._drawn_evenly(np.random.default_rng(0), comparison, range(30))
    assert sorted(drawn) == list(range(30))
    instruments = [tones.contents.notes[i].instrument for i in drawn]
    assert all(len(set(instruments[first : first + 3])) == 3 for first in range(0, 12, 3))


def test_bars_are_as_long_as_their_figures():
    half = Bar("score", "", 3.0, 4.9, 1.0, 5.0)
    assert as_text([half, Bar("attack, held-out", "ms", 300.0, None, 0.0, 100.0)]) == [
        "score             ████████████░░░░░░░░░░░┃  3.00 (4.90)",
        "attack, held-out  ████████████████████████  300.0 ms",
    ]


def test_the_same_seed_draws_the_same(tiny, tones, perfect):
    first, again, other = (evaluate(tiny, tones, seed).figures for seed in (1, 1, 2))
    assert first == again and first.diversity != other.diversity


def test_a_gain_of_the_network_is_found_in_the_loud_bins(tiny, tones, perfect, monkeypatch):
    loud = Comparison.play
    monkeypatch.setattr(Comparison, "play", lambda *arguments: 0.5 * loud(*arguments))
    figures = evaluate(tiny, tones).figures
    assert figures.held_out.loud_bins_db == pytest.approx(-6.02, abs=0.01)
    assert figures.retrieval.top_1 == 1.0
    monkeypatch.setattr(Comparison, "play", lambda *arguments: 1e-3 * loud(*arguments))
    assert evaluate(tiny, tones).figures.silence.nearly_silent == 8


def test_the_round_trip_keeps_pitch_and_nearly_all_else(tiny, tones):
    waves = np.stack([tones.wave(i) for i in range(5, 13)])
    back = Comparison(tiny, tones, Task("", silent)).round_trip(waves)
    assert back.shape == waves.shape
    assert max(distance(real, again) for real, again in zip(waves, back, strict=True)) < 6.0


def test_a_checkpoint_without_instruments_is_judged_by_random_latents_alone(tmp_path, tones, monkeypatch):
    nameless = write_tiny(tmp_path / "nameless", instruments=(), provenance={}, latent_normalisation="none")
    monkeypatch.setattr(
        Comparison, "play", lambda comparison, latents, pitches: np.stack([tone(int(p)) for p in pitches])
    )
    evaluation = evaluate(nameless, tones)
    figures = evaluation.figures
    assert figures.held_out is figures.trained is figures.retrieval is None and evaluation.examples == []
    assert set(figures.pitch) == {"real", "random"} and set(figures.diversity.means_db) == {"real", "random"}
    assert figures.smoothness.between == "random" and figures.smoothness.evened_largest == 1.0
    assert figures.remarks == [
        "tiny names no instruments, so only random latents are judged, and no likeness to real notes"
    ]
    with report.writing(tmp_path / "figures") as write:
        write(evaluation)
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"evaluation.json", "pitch.png", "timbres.png"}


@pytest.mark.parametrize(
    "names, pitches, provenance, remark",
    [
        (["Violin"], [60, 64], {}, "tiny and the set have no instrument in common"),
        (["Reed"], [60, 64], {"held_out": 0.0}, "no note of the set was held out from training"),
        (["Flute", "Reed"], range(36, 85, 4), {}, "tiny doesn't say which notes were held out from its training"),
        (["Reed"], range(36, 85, 4), {"held_out": 0.5}, "no held-out note has another instrument's beside it"),
        (
            ["Flute", "Reed"],
            [40, 44],
            {"held_out": 0.5},
            "fewer than two instruments of the set have a note at the middle",
        ),
    ],
)
def test_what_cannot_be_judged_is_said(tmp_path, monkeypatch, names, pitches, provenance, remark):
    monkeypatch.setattr(
        Comparison, "play", lambda comparison, latents, pitches: np.stack([tone(int(p)) for p in pitches])
    )
    checkpoint = write_tiny(tmp_path / "checkpoint", provenance=provenance)
    figures = evaluate(checkpoint, write_set(tmp_path / "set", names, pitches=pitches)).figures
    assert any(line.startswith(remark) for line in figures.remarks)
    assert report.rows(figures)


def test_one_instrument_is_enough(tmp_path):
    checkpoint = write_tiny(tmp_path / "checkpoint", instruments=["Reed"], provenance={"held_out": 0.5})
    figures = evaluate(checkpoint, write_set(tmp_path / "set", ["Reed"])).figures
    assert figures.held_out and figures.retrieval is None and figures.smoothness.between == "random"
    assert set(figures.diversity.means_db) == {"mixed", "random"} and figures.diversity.random_to_real is None
    assert report.rows(figures)


def test_what_does_not_fit_is_told_in_a_line(tmp_path, tiny, tones):
    slow = write_set(tmp_path / "slow", rate_hz=8000, samples=SAMPLES // 2)
    short = write_set(tmp_path / "short", samples=2048)
    brief = write_tiny(tmp_path / "brief", samples=2000), write_set(tmp_path / "brief set", samples=2000)
    boastful = write_tiny(tmp_path / "boastful", provenance={"held_out": "some"})
    for checkpoint, dataset, told in (
        (
            tiny,
            slow,
            f"{tmp_path / 'slow'}: its notes are at 8000 Hz, those of checkpoint 'tiny' at 16000 Hz; prepare the set at that rate or a higher one",
        ),
        (
            tiny,
            short,
            f"{tmp_path / 'short'}: its notes last 0.128 s, those of checkpoint 'tiny' 0.256 s; prepare the set with that length",
        ),
        (*brief, "checkpoint 'tiny': its notes last 0.125 s; to be judged they need 0.128 s"),
        (boastful, tones, "checkpoint 'tiny': provenance.held_out is 'some', should be from 0 to 1"),
    ):
        with pytest.raises(InputError) as error:
            evaluate(checkpoint, dataset)
        assert str(error.value) == told


def test_a_network_that_makes_nan_is_told_of(tiny, tones, monkeypatch):
    from samplepack.models.gansynth import GANSynth

    def nan(network, latents, pitches, velocities):
        return np.full((len(pitches), SAMPLES), np.nan)

    monkeypatch.setattr(GANSynth, "render", nan)
    with pytest.raises(SamplepackError, match="checkpoint 'tiny': the network made NaN"):
        evaluate(tiny, tones)


def test_the_command_prints_a_table_or_json_and_writes_figures_and_pictures(run, tmp_path, tiny, tones, perfect):
    output = tmp_path / "figures"
    ran = run("evaluate", tiny.folder, "--data", tones.folder, "--output", output)
    assert ran.code == 0 and ran.err == ""
    assert ran.out.splitlines()[0] == f"{tiny.folder} against Three tones"
    assert re.search(r"^  distance to held-out notes +0\.00 dB +round trip 0\.00 dB$", ran.out, re.MULTILINE)
    assert {file.name for file in output.iterdir()} == {
        "evaluation.json", "bars.png", "scores.png", "pitch.png", "likeness.png", "timbres.png", "examples.png", "worst",
    }  # fmt: skip
    sounds = sorted(file.name for file in (output / "worst").iterdir())
    assert len(sounds) == 10 and re.fullmatch(r"01 (Flute|Reed|Bell) \d\d, 5\.00\.flac", sounds[0])
    sound = read(output / "worst" / sounds[0])
    real, made = sound.samples[0, :SAMPLES], sound.samples[0, -SAMPLES:]
    assert sound.rate_hz == RATE_HZ and sound.duration_s == 2 * SAMPLES / RATE_HZ + 0.5
    assert np.abs(real - made).max() < 1e-6 and np.abs(real).max() == pytest.approx(0.8, abs=0.001)
    written = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert written["retrieval"]["top_1"] == 1.0
    again = run("evaluate", tiny.folder, "--data", tones.folder, "--output", output, "--json")
    assert json.loads(again.out) == written


def test_a_model_card_shows_the_figures_as_bars(tmp_path, tones, perfect):
    write_tiny(tmp_path / "tiny")
    write_card(tmp_path / "tiny", "tiny", tones)
    card = (tmp_path / "tiny" / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| distance to held-out notes | 0.00 dB | round trip 0.00 dB |" in card
    bars = card.split("```")[1].strip().splitlines()
    assert re.fullmatch(r"score, held-out +█{23}┃  5\.00 \(5\.00\)", bars[0])
    for what in ("attack", "spectral flux", "noise between partials", "instrument found at key 84"):
        assert any(bar.startswith(what) for bar in bars), what


def test_the_command_tells_what_is_wrong_before_it_renders(run, tmp_path, tiny, tones, monkeypatch):
    monkeypatch.setattr(Comparison, "play", None)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for arguments in (
        (tiny.folder, "--data", tmp_path / "none"),
        ("strater", "--data", tones.folder),
        (tiny.folder, "--data", tones.folder, "--output", tmp_path / "mine"),
        (tiny.folder,),
    ):
        ran = run("evaluate", *arguments)
        assert ran.code == 2 and ran.err.count("\n") == 1 and "Traceback" not in ran.err, arguments
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
