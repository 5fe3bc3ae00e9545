"""Evaluating a checkpoint: what its measures say of sounds that are known, and what comes of bad input."""

import functools
import json
import re

import numpy as np
import pytest

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.progress import Task, silent
from samplepack.datasets.dataset import read_dataset, writing
from samplepack.evaluation import evaluate as evaluating
from samplepack.evaluation import likeness, measures, report
from samplepack.evaluation.comparison import Comparison
from samplepack.evaluation.evaluate import evaluate
from samplepack.models.backend import start_backend
from samplepack.models.checkpoint import Config, read_checkpoint, write_checkpoint
from samplepack.sound.pitch import pitch_hz

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
    return measures.log_spectral_distance_db(measures.spectra(one), measures.spectra(other))


def test_a_note_is_no_distance_from_itself_and_as_far_as_its_level_from_a_quieter_one():
    assert distance(noise, noise) == 0.0
    assert distance(noise, 0.5 * noise) == pytest.approx(6.02, abs=0.01)
    assert measures.loud_bins_db(measures.spectra(noise), measures.spectra(0.5 * noise)) == pytest.approx(
        -6.02, abs=0.01
    )


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
        assert judged.attack_error_ms == judged.noise_error_db == 0.0
    assert figures.retrieval.top_1 == 1.0
    assert all(pitch.within_50_cents == 1.0 for pitch in figures.pitch.values())
    assert figures.diversity.means_db["trained"] == pytest.approx(figures.diversity.means_db["real"])
    assert figures.silence.nearly_silent == 0
    assert figures.smoothness.uniform_largest > 4.0  # one jump in each walk


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
    fast = write_set(tmp_path / "fast", rate_hz=44100)
    short = write_set(tmp_path / "short", samples=2048)
    brief = write_tiny(tmp_path / "brief", samples=2000), write_set(tmp_path / "brief set", samples=2000)
    boastful = write_tiny(tmp_path / "boastful", provenance={"held_out": "some"})
    for checkpoint, dataset, told in (
        (
            tiny,
            fast,
            f"{tmp_path / 'fast'}: its notes are at 44100 Hz, those of checkpoint 'tiny' at 16000 Hz; prepare the set at that rate",
        ),
        (
            tiny,
            short,
            f"{tmp_path / 'short'}: its notes have 2048 samples, those of checkpoint 'tiny' 4096; prepare the set with that length",
        ),
        (*brief, "checkpoint 'tiny': its notes have 2000 samples; to be judged they need 2048"),
        (boastful, tones, "checkpoint 'tiny': provenance.held_out is 'some', should be from 0 to 1"),
    ):
        with pytest.raises(InputError) as error:
            evaluate(checkpoint, dataset)
        assert str(error.value) == told


def test_a_network_that_makes_nan_is_told_of(tiny, tones, monkeypatch):
    from samplepack.models.gansynth import GANSynth

    monkeypatch.setattr(GANSynth, "render", lambda self, latents, pitches: np.full((len(pitches), SAMPLES), np.nan))
    with pytest.raises(SamplepackError, match="checkpoint 'tiny': the network made NaN"):
        evaluate(tiny, tones)


def test_the_command_prints_a_table_or_json_and_writes_figures_and_pictures(run, tmp_path, tiny, tones, perfect):
    output = tmp_path / "figures"
    ran = run("evaluate", tiny.folder, "--data", tones.folder, "--output", output)
    assert ran.code == 0 and ran.err == ""
    assert ran.out.splitlines()[0] == f"{tiny.folder} against Three tones"
    assert re.search(r"^  distance to held-out notes +0\.00 dB +round trip 0\.00 dB$", ran.out, re.MULTILINE)
    assert {file.name for file in output.iterdir()} == {
        "evaluation.json", "pitch.png", "likeness.png", "timbres.png", "examples.png",
    }  # fmt: skip
    written = json.loads((output / "evaluation.json").read_text(encoding="utf-8"))
    assert written["retrieval"]["top_1"] == 1.0
    again = run("evaluate", tiny.folder, "--data", tones.folder, "--output", output, "--json")
    assert json.loads(again.out) == written


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
