"""Batches cut into parts, each of which TensorFlow computes in a thread of its own."""

from __future__ import annotations

from samplepack.models.gradients import Tensors

_SHARDS = 2
"""How many parts a batch is cut into, since small convolutions gain nothing from several threads. The number is fixed,
since it changes the bits of the weights."""


def shard_size(batch_size: int) -> int:
    """How many notes each part of a batch has: all of them where the batch can't be cut into equal parts."""
    return batch_size if batch_size % _SHARDS else batch_size // _SHARDS


def in_shards(batch: Tensors, batch_size: int) -> list[Tensors]:
    """Cut the arrays of a batch into equal parts; scalars are in each of them.

    Args:
        batch: arrays by name, of shape () or (a number of rows for each part, the same for all, ...).
        batch_size: how many notes there are.
    """
    shards = batch_size // shard_size(batch_size)
    parts: list[Tensors] = [{} for _ in range(shards)]
    for name, tensor in batch.items():
        size = tensor.shape[0] // shards if len(tensor.shape) else 0
        for i, part in enumerate(parts):
            part[name] = tensor[i * size : (i + 1) * size] if size else tensor
    return parts


def mean_of(parts: list[Tensors]) -> Tensors:
    """The mean of each tensor over parts."""
    return {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}
