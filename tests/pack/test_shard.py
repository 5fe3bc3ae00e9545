"""Notes that are rendered in parts, by many machines, before one build makes the packs."""

import itertools
import random
from dataclasses import replace

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.models.checkpoint import read_checkpoint, write_checkpoint
from samplepack.models.engine import DEFAULT_ENGINE
from samplepack.pack import build as build_module
from samplepack.pack.plan import plan_pack
from samplepack.pack.recipes import check_recipe
from samplepack.pack.shard import Job, Shard, divided, render_shard
from samplepack.rendering import render as render_module
from samplepack.rendering.cache import Cache
from samplepack.rendering.plan import Note
from tests.helpers.networks import Tones, random_tensors, small_config
from tests.helpers.packs import contents

SHARDS = 8


@pytest.fixture
def network(monkeypatch):
    """In place of the checkpoints' networks."""
    tones = Tones()
    for module in (render_module, build_module):
        monkeypatch.setattr(module, "load_model", lambda checkpoint, engine: tones)
    return tones


def notes(checkpoint, count):
    random_state = np.random.RandomState(3)
    latents = random_state.standard_normal((count, checkpoint.latent_dim)).astype(np.float32)
    return [Job(checkpoint, Note(60 + i % 3, z, None, f"{checkpoint.name}-{i}")) for i, z in enumerate(latents)]


@pytest.fixture
def two_checkpoints(tmp_path):
    """Of the second, a note costs four times as much and more."""
    made = []
    for name, channels in (("small", (6, 5, 4, 3)), ("large", (12, 10, 8, 6))):
        config = small_config(channels=channels)
        write_checkpoint(tmp_path / name, config, random_tensors(config))
        made.append(read_checkpoint(tmp_path / name, name))
    return made


@pytest.mark.parametrize("parts", [1, 2, 7, 16, 90])
def test_every_note_is_in_one_part_whatever_the_order_and_the_parts_are_even_by_cost(two_checkpoints, parts):
    small, large = two_checkpoints
    jobs = notes(small, 60) + notes(large, 20)
    shards = [divided(jobs, Shard(number, parts)) for number in range(1, parts + 1)]
    keys = [[job.note.key for job in shard] for shard in shards]
    assert sorted(key for part in keys for key in part) == sorted(job.note.key for job in jobs)
    random.Random(1).shuffle(jobs)
    assert keys == [[job.note.key for job in divided(jobs, Shard(number, parts))] for number in range(1, parts + 1)]
    ratio = 4.0  # more exactly 3.5: the first block's cost grows with its outputs alone
    costs = [sum(ratio if job.checkpoint is large else 1.0 for job in shard) for shard in shards]
    assert max(costs) - sum(costs) / parts <= ratio * 1.2


def test_a_part_does_not_depend_on_the_versions_of_the_machine(write_recipe):
    plan = plan_pack(check_recipe(write_recipe(pitches="36-60")), DEFAULT_ENGINE)
    jobs = [Job(plan.checkpoint, note) for key in plan.key_notes() for note in key]
    elsewhere = [Job(job.checkpoint, replace(job.note, key=job.note.key[::-1])) for job in jobs]
    one, other = (divided(some, Shard(2, 3)) for some in (jobs, elsewhere))
    assert [job.note.pitch for job in one] == [job.note.pitch for job in other] and len(one) == 9


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "a/b", "1/0", "-1/4", "1/4/4", "1/999999", ""])
def test_a_shard_that_is_none_is_refused(run, write_recipe, text):
    with pytest.raises(InputError, match="such as 3/16"):
        Shard.parse(text)
    if text:
        ran = run("build", write_recipe(), f"--shard={text}")
        assert ran.code == 2 and "such as 3/16" in ran.err


def test_a_shard_builds_no_pack_and_goes_with_no_option_about_packs(network, run, write_recipe, tmp_path):
    recipe = write_recipe(pitches="60")
    ran = run("build", recipe, "--shard", "1/1", "--output", tmp_path / "output")
    assert ran.code == 0 and ran.out == "shard 1/1: 1 of 1 note, 1 rendered now\n"
    assert not (tmp_path / "output").exists() and not recipe.with_suffix(".lock").exists()
    for option in ("--locked", "--update-lock", "--zip", "--strict"):
        assert run("build", recipe, "--shard", "1/1", option).code == 2


def test_notes_that_cannot_be_kept_make_a_shard_fail(network, run, write_recipe, home, monkeypatch):
    recipe = write_recipe(pitches="[60, 62]")
    monkeypatch.setenv("SAMPLEPACK_CACHE_GB", "0.0003")
    ran = run("build", recipe, "--shard", "1/1")
    assert ran.code == 1 and ran.err.startswith("shard 1/1: 1 note of 2 couldn't be kept") and "_CACHE_GB" in ran.err
    (home / "notes").rename(home / "away")
    (home / "notes").write_text("in the way")
    ran = run("build", recipe, "--shard", "1/1")
    assert ran.code == 1 and "2 notes of 2 couldn't be kept: " in ran.err


class Killed(BaseException):
    """No error that a program handles, as the end of a process is none."""


def test_eight_shards_in_any_order_two_twice_and_one_killed_collect_to_the_plain_builds_bytes(
    network, run, tmp_path, home, monkeypatch
):
    recipes = [tmp_path / "one.yaml", tmp_path / "two.yaml"]
    every = "pitches: 48-72/3\nsound: {loop: none}\n"
    recipes[0].write_text(f"recipe: 1\nname: One\n{every}timbres: {{Glass: 7, Choir: 9}}\n")
    recipes[1].write_text(f"recipe: 1\nname: Two\n{every}timbres: {{Choir: 9, Reed: 2}}\n")
    order = [*range(1, SHARDS + 1), 2, 5]
    random.Random(20).shuffle(order)

    calls = itertools.count()

    def kill(latents, *arguments):
        if next(calls):
            raise Killed
        return Tones.render(network, latents, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(network, "render", kill)
        render_shard(recipes, Shard(order.pop(0), SHARDS), device="cpu")
    assert Cache(home / "notes").info().notes == 1
    for number in order:
        assert run("build", *recipes, "--shard", f"{number}/{SHARDS}").code == 0
    assert 24 <= Cache(home / "notes").info().notes == network.rendered <= 26  # the killed shard's are missing
    assert run("build", *recipes, "--output", tmp_path / "collected").code == 0
    assert network.rendered == 27
    (home / "notes").rename(home / "shards")
    assert run("build", *recipes, "--output", tmp_path / "plain").code == 0
    assert network.rendered == 54
    assert contents(tmp_path / "collected") == contents(tmp_path / "plain")
