"""A part of the notes of recipes, rendered into the cache: many machines share the work, and one then builds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Literal

from samplepack.base.errors import InputError, SamplepackError, counted
from samplepack.base.progress import Progress, Task, silent
from samplepack.models.checkpoint import Checkpoint
from samplepack.models.config import gansynth_config
from samplepack.models.engine import Precision, engine_on
from samplepack.pack.plan import plan_pack
from samplepack.pack.recipes import check_recipes, paths_of
from samplepack.rendering.cache import LIMIT_VARIABLE, Cache
from samplepack.rendering.plan import Note
from samplepack.rendering.render import render

_MOST_SHARDS = 100_000


@dataclass(frozen=True)
class Shard:
    """One of the parts that the notes of recipes are divided into."""

    number: int
    """From 1 to `of`."""

    of: int
    """How many parts there are."""

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A shard from text such as `3/16`.

        Raises:
            InputError: it isn't a number and a count, or the number lies outside of 1 to the count.
        """
        written = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        shard = cls(int(written[1]), int(written[2])) if written else None
        if shard is None or not 1 <= shard.number <= shard.of <= _MOST_SHARDS:
            raise InputError(f"shard is '{text}'; it should be a part and how many there are, such as 3/16")
        return shard

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


@dataclass(frozen=True)
class RenderedShard:
    """What came of a shard. All of its notes are in the cache."""

    shard: Shard
    notes: int
    """How many notes are this shard's."""

    of_notes: int
    """How many notes the recipes have, each counted once."""

    rendered: int
    """How many of this shard's notes the cache lacked."""


@dataclass(frozen=True, eq=False)
class Job:
    """A note and the checkpoint that renders it."""

    checkpoint: Checkpoint
    note: Note


def render_shard(
    recipes: str | Path | Sequence[str | Path],
    shard: Shard,
    *,
    allow_plugins: bool = False,
    allow_reads: bool = False,
    precision: Precision = "float32",
    device: Literal["auto", "cpu", "gpu"] = "auto",
    progress: Progress = silent,
) -> RenderedShard:
    """Render a part of the notes of recipes into the user's cache.

    Which notes are whose depends on nothing but the recipes and their checkpoints: not on the order of the recipes, the
    machine or what the cache holds. The parts are even by the cost of the notes. A build of the same recipes finds the
    notes of all parts in the cache, renders what is missing, and makes the packs.

    Args:
        recipes: paths of recipes, or one path.
        shard: which part.
        allow_plugins: whether effects may be programs from elsewhere.
        allow_reads: whether `reads` may name folders outside of the repository.
        precision: number format of the network.
        device: what the network runs on; `auto` is a GPU, where the backend finds one.
        progress: receives how many notes of the shard are done.

    Raises:
        InputError: every problem of every recipe, before anything renders; or a checkpoint is damaged.
        SamplepackError: a note couldn't be rendered, or couldn't be kept in the cache.
    """
    cache, engine = Cache.of_user(), engine_on(device, precision)
    jobs: dict[str, Job] = {}
    for checked in check_recipes(paths_of(recipes), allow_plugins, allow_reads):
        plan = plan_pack(checked, engine)
        for key in plan.key_notes():
            jobs.update((note.key, Job(plan.checkpoint, note)) for note in key)
    own = divided(list(jobs.values()), shard)
    cache.fetch(job.note.key for job in own)
    held = {job.note.key for job in own if job.note.key in cache}
    missing = [job for job in own if job.note.key not in held]
    task = Task(f"shard {shard}", progress)
    task.begin(len(own))
    task.advance(len(held))
    for _, of_checkpoint in groupby(missing, key=lambda job: job.checkpoint.digest):
        group = list(of_checkpoint)
        for _ in render([job.note for job in group], group[0].checkpoint, cache, engine, task):
            task.advance(1)
    cache.trim()
    if lost := sum(job.note.key not in cache for job in own):
        why = cache.trouble or f"they don't fit into {cache.limit_bytes / 1e9:g} GB: raise {LIMIT_VARIABLE}"
        raise SamplepackError(f"shard {shard}: {counted(lost, 'note')} of {len(own)} couldn't be kept: {why}")
    if unshared := cache.share(job.note.key for job in own):
        why = "; ".join(cache.store_trouble())
        raise SamplepackError(
            f"shard {shard}: {counted(len(unshared), 'note')} of {len(own)} couldn't be shared: {why}"
        )
    return RenderedShard(shard, len(own), len(jobs), len(missing))


def divided(jobs: Sequence[Job], shard: Shard) -> list[Job]:
    """The jobs of a shard, those of a checkpoint one after the other.

    All jobs lie side by side on a line, each as long as its cost, in an order that depends on the notes alone; the line
    is cut into even parts, and a job belongs to the part that its middle lies in. So no part differs from the mean by
    more than the cost of one note.
    """

    def place(job: Job) -> tuple[str, bytes, int, int]:
        note = job.note
        return job.checkpoint.digest, note.z.astype("<f4").tobytes(), note.pitch, note.velocity or 128

    ordered = sorted(jobs, key=place)
    by_digest = {job.checkpoint.digest: job.checkpoint for job in jobs}
    costs = {digest: _cost(checkpoint) for digest, checkpoint in by_digest.items()}
    line = sum(costs[job.checkpoint.digest] for job in ordered)
    own, before = [], 0
    for job in ordered:
        cost = costs[job.checkpoint.digest]
        if (2 * before + cost) * shard.of // (2 * line) == shard.number - 1:
            own.append(job)
        before += cost
    return own


def _cost(checkpoint: Checkpoint) -> int:
    """What a note costs: the products of the network's convolutions, each written out."""
    config = gansynth_config(checkpoint)
    shapes, start, products = config.tensor_shapes(), config.start[0] * config.start[1], 0
    for block in range(1, max(config.shares()) + 1):
        size = start * 4 ** (block - 1)
        products += math.prod(shapes[f"block_{block}/conv0/kernel"]) * (size if block > 1 else 1)
        products += math.prod(shapes[f"block_{block}/conv1/kernel"]) * size
    return products
