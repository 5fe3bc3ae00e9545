"""Output of an evaluation: rows of a table, bars, and a folder of figures, pictures and sounds."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from samplepack.base.files import folder_aside
from samplepack.evaluation import pictures
from samplepack.evaluation.evaluate import Evaluation
from samplepack.evaluation.figures import AcrossKeys, Figures, Likeness, Modulated, Retrieval
from samplepack.sound.audio import Audio, encode

FILE = "evaluation.json"

WORST = "worst"
"""Folder of the sounds: the real and the generated note of each pair with a low score, one after the other."""

_SOUND = re.compile(r"\d\d .*, \d\.\d\d\.flac")
"""Names of these sounds: a number, instrument and pitch, and the score."""

_PAUSE_S = 0.5
_UNFIT = re.compile(r"[^\w()+&-]+")
"""Characters of instruments' names that stand in no file name."""


class Row(NamedTuple):
    """A row of the table."""

    what: str
    """Name of the figure."""

    measured: str
    """Measured value with its unit."""

    beside: str
    """Value for comparison: that of real notes, or the best possible one; may be empty."""


def rows(figures: Figures) -> list[Row]:
    """Return the main figures as rows of a table."""
    table = []
    real = figures.pitch.get("real")
    for kind, pitch in figures.pitch.items():
        if kind != "real":
            median = "" if pitch.median_cents is None else f", median {pitch.median_cents:.1f} cents"
            beside = f"real notes {_percent(real.within_50_cents)}" if real else ""
            table.append(
                Row(f"pitch within 50 cents, {kind} latents", _percent(pitch.within_50_cents) + median, beside)
            )
    for name, likeness in (("held-out", figures.held_out), ("trained", figures.trained)):
        if likeness:
            table += _rows_of_likeness(name, likeness)
    if retrieval := figures.retrieval:
        total = f"of {retrieval.notes} held-out notes"
        table.append(Row("instrument found first", f"{_percent(retrieval.top_1)} {total}", ""))
        table.append(Row("instrument among the first five", f"{_percent(retrieval.top_5)} {total}", ""))
    for key in figures.keys:
        table += _rows_of_key(key)
    if change := figures.velocity:
        table += [
            Row(
                "louder from soft to hard, held-out",
                f"{change.louder_db:.1f} dB, off by {change.level_error_db:.1f}",
                f"real {change.real_louder_db:.1f} dB",
            ),
            Row(
                "brighter from soft to hard, held-out",
                f"{change.brighter:.2f} times, off by {_percent(change.brightness_error)}",
                f"real {change.real_brighter:.2f} times",
            ),
        ]
    means = figures.diversity.means_db
    for kind, mean in means.items():
        if kind != "real":
            real_mean = means.get("real")
            share = f", {_percent(mean / real_mean)} of real" if real_mean else ""
            beside = f"real instruments {real_mean:.2f} dB" if real_mean else ""
            table.append(Row(f"distance between timbres, {kind}", f"{mean:.2f} dB{share}", beside))
    steps = figures.smoothness
    table.append(
        Row(
            f"largest step between {steps.between} latents",
            f"{steps.uniform_largest:.2f} times the mean",
            f"evened out {steps.evened_largest:.2f}",
        )
    )
    silence = figures.silence
    table.append(Row("nearly silent random latents", f"{silence.nearly_silent} of {silence.notes}", ""))
    return table


def _rows_of_likeness(name: str, of: Likeness) -> list[Row]:
    table = []
    if of.score:
        beside = ""
        if of.round_trip_score:
            beside = f"round trip {of.round_trip_score.mean:.2f}, {of.round_trip_score.tenth_percentile:.2f}"
        worst = next(iter(of.score.by_instrument.items()))
        table += [
            Row(
                f"score of {name} notes, 1 to 5",
                f"{of.score.mean:.2f}, tenth percentile {of.score.tenth_percentile:.2f}",
                beside,
            ),
            Row(f"lowest score of an instrument, {name}", f"{worst[1]:.2f}, {worst[0]}", ""),
        ]
    table += [
        Row(f"distance to {name} notes", f"{of.distance_db:.2f} dB", f"round trip {of.floor_db:.2f} dB"),
        Row(f"level of loud bins, {name}", f"{of.loud_bins_db:+.1f} dB", ""),
        Row(
            f"attack, {name}",
            f"{of.attack_ms:.0f} ms, off by {of.attack_error_ms:.0f}",
            f"real {of.real_attack_ms:.0f} ms",
        ),
        Row(
            f"spectral flux of the onset, {name}",
            f"{of.flux:.2f}, off by {of.flux_error:.2f}",
            f"real {of.real_flux:.2f}",
        ),
    ]
    table += [
        _row_of_modulation(f"{what}, {name}", unit, modulated)
        for what, unit, modulated in (("vibrato", "cents", of.vibrato), ("tremolo", "dB", of.tremolo))
        if modulated
    ]
    if of.treble:
        table.append(
            Row(
                f"level above 8 kHz, {name}",
                f"{of.treble.made_db:.1f} dB, off by {of.treble.error_db:.1f}",
                f"real {of.treble.real_db:.1f} dB, {of.treble.instruments} bright instruments",
            )
        )
    table.append(
        Row(
            f"noise between partials, {name}",
            f"{of.noise_db:.1f} dB, off by {of.noise_error_db:.1f}",
            f"real {of.real_noise_db:.1f} dB",
        )
    )
    return table


def _row_of_modulation(what: str, unit: str, of: Modulated) -> Row:
    rate = f" at {of.rate_hz:.1f} Hz" if of.rate_hz else ""
    return Row(
        what,
        f"{of.depth:.1f} {unit}, clear in {of.notes} of {of.real_notes}{rate}",
        f"real {of.real_depth:.1f} {unit} at {of.real_rate_hz:.1f} Hz",
    )


def _rows_of_key(of: AcrossKeys) -> list[Row]:
    table = [_row_of_found(f"instrument found at key {of.pitch}", of.found, of.real_found)]
    if of.found_by_middle:
        what = f"instrument of the middle key found at {of.pitch}"
        table.append(_row_of_found(what, of.found_by_middle, of.real_found_by_middle))
    return table


def _row_of_found(what: str, found: Retrieval, real: Retrieval | None) -> Row:
    def shares(of: Retrieval) -> str:
        return f"first {_percent(of.top_1)}, among five {_percent(of.top_5)}"

    return Row(what, shares(found), f"real notes {shares(real)}" if real else "")


def _percent(share: float) -> str:
    return f"{100.0 * share:.1f} %"


@contextmanager
def writing(folder: Path) -> Iterator[Callable[[Evaluation], None]]:
    """Yield a function that writes `evaluation.json` and the pictures of an evaluation.

    They replace an earlier evaluation at `folder` completely, and only when the block ends without an error.

    Raises:
        InputError: `folder` exists and holds more than an evaluation; raised before the block begins.
    """
    with folder_aside(folder, _listed) as aside:

        def write(evaluation: Evaluation) -> None:
            text = json.dumps(evaluation.figures.model_dump(mode="json"), indent=1, ensure_ascii=False)
            (aside / FILE).write_text(text + "\n", encoding="utf-8")
            pictures.draw(aside, evaluation)
            if evaluation.worst:
                _write_sounds(aside / WORST, evaluation)

        yield write


def _listed(folder: Path) -> set[str] | None:
    if not (folder / FILE).is_file():
        return None
    sounds = {f"{WORST}/{path.name}" for path in (folder / WORST).glob("*.flac") if _SOUND.fullmatch(path.name)}
    return {FILE, *pictures.FILES, *sounds}


def _write_sounds(folder: Path, evaluation: Evaluation) -> None:
    folder.mkdir()
    rate_hz = evaluation.heard_rate_hz
    for number, heard in enumerate(evaluation.worst, 1):
        sound = np.concatenate([heard.real, np.zeros(int(_PAUSE_S * rate_hz), np.float32), heard.made])
        audio = Audio(sound[np.newaxis] / np.float32(max(1.0, np.abs(sound).max())), rate_hz)
        instrument = _UNFIT.sub(" ", heard.instrument).strip()[:60]
        name = f"{number:02} {instrument} {heard.pitch}, {heard.score:.2f}.flac"
        (folder / name).write_bytes(encode(audio, "flac", 24, dither_seed=0))
