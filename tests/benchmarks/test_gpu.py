"""The benchmark of a GPU, on the CPU with a tiny network."""

import re

import pytest

from benchmarks import gpu
from samplepack.models.checkpoint import Config, read_checkpoint, write_checkpoint
from tests.helpers.networks import random_tensors, small_config


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks") / "tiny"
    config = small_config(samples=4000, frames=256, start=(32, 4))
    write_checkpoint(folder, Config.model_validate(config.model_dump()), random_tensors(config))
    return read_checkpoint(folder, "tiny")


def test_the_table_says_what_is_rendered_where_the_time_goes_and_how_many_cores_would_feed_it(
    tiny, monkeypatch, capsys
):
    monkeypatch.setattr(gpu, "PRECISIONS", ("float32",))
    gpu.compare({"tiny": tiny}, {"tiny": tiny}, gpu.Effort(batches=(2,), keys=3, size=64, runs=1))
    table = capsys.readouterr().out
    print(table)
    number = r"(-?[0-9,]+\.[0-9]+)"

    def figures(line):
        return [float(found.replace(",", "")) for found in re.findall(line.replace("#", number), table)]

    assert len(figures("matrix product, float32 +# TFLOP/s")) == 1
    rates = figures("latents to waves +# notes/s")
    assert len(rates) == 2 and min(rates) > 0.0
    assert len(figures("3 keys +# ms")) == 1
    parts_ms = [figures(f"{part} +# ms") for part in ("network", "spectral inverse", "to memory")]
    assert [len(part) for part in parts_ms] == [1, 1, 1]
    assert len(figures("floor +# ms")) == 1
    (finishing_ms,), (cores,) = figures("finishing and encoding, tiny +# ms"), figures("cores to feed it: tiny +#")
    assert cores == pytest.approx(rates[0] * finishing_ms / 1e3, rel=0.02, abs=0.1)


def test_the_floor_counts_the_products_of_the_convolutions():
    config = small_config(start=(2, 4), channels=(6, 5), frames=4, bins=8, latent_dim=5)
    first = 2 * 4 * (5 + 3) * 6 + 2 * 4 * 9 * 6 * 6
    second = (2 + 1) * (4 + 1) * 4 * 6 * 4 * 5 + 4 * 8 * 9 * 5 * 5 + 4 * 8 * 5 * 2
    assert gpu.gflop_a_note(config) == pytest.approx(2e-9 * (first + second))
