"""The model card of a trained checkpoint: its sizes, its provenance, its terms, and measurements of its sound."""

from __future__ import annotations

from pathlib import Path

from samplepack.base.errors import SamplepackError
from samplepack.datasets.dataset import Dataset
from samplepack.evaluation.bars import as_text, bars
from samplepack.evaluation.evaluate import evaluate
from samplepack.evaluation.figures import Figures
from samplepack.evaluation.report import rows
from samplepack.models.checkpoint import CARD, Checkpoint, read_checkpoint


def write_card(folder: Path, name: str, dataset: Dataset) -> None:
    """Measure a checkpoint against the data set that it was trained on, and write its model card beside its weights."""
    checkpoint = read_checkpoint(folder, name)
    config = checkpoint.config
    lines = [
        f"# {name}",
        "",
        f"A {config.family} checkpoint for samplepack: latents of {config.latent_dim} values, pitches "
        f"{config.pitches[0]} to {config.pitches[1]}, {config.sample_rate_hz} Hz, {len(config.instruments)} "
        f"instruments that it knows by name.",
        "",
        "## Where it comes from",
        "",
        *(f"- {key.replace('_', ' ')}: {value}" for key, value in config.provenance.items()),
        f"- digest: {config.digest}",
        "",
        "## Terms",
        "",
        config.license or "The data that it was trained on names no terms.",
        "",
        "## Measured",
        "",
        *_measured(checkpoint, dataset),
    ]
    (folder / CARD).write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _measured(checkpoint: Checkpoint, dataset: Dataset) -> list[str]:
    try:
        figures = evaluate(checkpoint, dataset).figures
    except SamplepackError as error:  # the weights of a long training are kept all the same
        return [f"It could not be measured: {error}"]
    return [
        f"By `samplepack evaluate`, against {figures.dataset}; {figures.held_out_share:.0%} of its pairs of instrument "
        f"and pitch were held out from training.",
        "",
        "| what | measured | beside |",
        "| --- | --- | --- |",
        *(f"| {row.what} | {row.measured} | {row.beside} |" for row in rows(figures)),
        "",
        *_bars(figures),
        *(f"Note: {remark}." for remark in figures.remarks),
    ]


def _bars(figures: Figures) -> list[str]:
    shown = bars(figures)
    if not shown:
        return []
    return [
        "As bars, with `┃` and brackets for the real notes, or the best that is possible:",
        "",
        "```",
        *as_text(shown),
        "```",
        "",
    ]
