"""Builds whose notes a cluster renders ahead; in its place stands one that plays tones. tests/system has real ones."""

import json
import pickle
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import soundfile

import samplepack
from samplepack.base.errors import SamplepackError
from samplepack.models.engine import DEFAULT_ENGINE, machine_kind
from samplepack.pack import build as build_module
from samplepack.rendering.cache import Cache
from samplepack.rendering.cluster import Unit
from tests.helpers.networks import Tones
from tests.helpers.packs import contents


class StandIn:
    """A cluster of one renderer. Notes of pitches in `broken` can't be rendered."""

    def __init__(self):
        self.engine, self.kinds, self.renderers = DEFAULT_ENGINE, {machine_kind()}, 1
        self.tones, self.units, self.broken, self.tasks = Tones(seconds=1.0), [], set(), 0
        self.go_on = threading.Event()
        """Until it is set, or a key is finished, no second unit is rendered."""
        self.go_on.set()

    def map(self, function, items):
        # As on another machine: what goes there and comes back is pickled.
        for item in pickle.loads(pickle.dumps(list(items))):
            self.tasks += 1
            self.go_on.set()
            yield pickle.loads(pickle.dumps(function))(item)

    def render(self, next_unit, is_closed):
        while not is_closed() and (unit := next_unit()) != "end":
            if isinstance(unit, Unit):
                assert not self.units or self.go_on.wait(20.0)
                pitches = [note.pitch for note in unit.notes]
                self.units.append(pitches)
                waves = self.tones.render(np.stack([note.z for note in unit.notes]), pitches)
                yield unit, "a pitch is broken" if self.broken & set(pitches) else waves
            else:
                time.sleep(0.005)


@pytest.fixture
def cluster(monkeypatch):
    made = StandIn()
    opened = []

    @contextmanager
    def connected(address, precision, device):
        opened.append(address)
        try:
            yield made
        finally:
            opened.remove(address)
        assert not [thread for thread in threading.enumerate() if "_guarded" in thread.name], "a thread goes on"

    def load(checkpoint, engine):
        raise AssertionError("a note was rendered here")

    monkeypatch.setattr(build_module, "connected", connected)
    monkeypatch.setattr(build_module, "load_model", load)
    yield made
    assert opened == []


@pytest.fixture
def recipes(tmp_path):
    """Of two keys each that no other has, and of one that all have."""
    made = []
    for number in range(3):
        made.append(tmp_path / f"pack-{number}.yaml")
        keys = f"[{60 + 2 * number}, {61 + 2 * number}, 80]"
        made[-1].write_text(
            f"recipe: 1\nname: Pack {number}\npitches: {keys}\nsound: {{loop: none}}\ntimbres: {{Glass: 7}}\n"
        )
    return made


def test_notes_are_rendered_once_in_units_across_packs_and_the_packs_are_those_of_a_plain_build(
    cluster, recipes, tmp_path, home, monkeypatch
):
    seen = []

    def progress(task, done, total, remark=""):
        seen.append((task, done, total))

    built = samplepack.build(recipes[:2], tmp_path / "output", cluster="auto", progress=progress)
    assert [sorted(unit) for unit in cluster.units] == [[60, 61, 62, 63, 80]]
    assert {(task, total) for task, _, total in seen} == {("2 recipes on a cluster", 6)}
    assert max(done for _, done, _ in seen) == 6
    lock = recipes[0].with_suffix(".lock").read_bytes()
    again = samplepack.build(recipes[:2], tmp_path / "output", cluster="auto")
    assert all(one.unchanged for one in again) and len(cluster.units) == 1
    (home / "notes").rename(home / "away")
    monkeypatch.setattr(build_module, "load_model", lambda checkpoint, engine: cluster.tones)
    plain = samplepack.build(recipes[:2], tmp_path / "plain")
    assert [contents(one.folder) for one in built] == [contents(one.folder) for one in plain]
    assert recipes[0].with_suffix(".lock").read_bytes() == lock


def test_keys_are_finished_on_the_cluster_while_the_next_instrument_is_rendered(
    cluster, write_recipe, tmp_path, home, monkeypatch
):
    monkeypatch.setattr("samplepack.rendering.cluster._LEAST_TOGETHER", 3)
    cluster.go_on.clear()
    recipe = write_recipe(
        "process: [{Phaser: {mix: 0.3}}, Limiter]\n", timbres="{Glass: 7, Rubber: 42}", pitches="[60, 61, 62]"
    )
    built = samplepack.build(recipe, tmp_path / "output", cluster="auto")
    assert len(cluster.units) == 2 and cluster.tasks == 6
    plain = samplepack.build(recipe, tmp_path / "plain")
    assert contents(built[0].folder) == contents(plain[0].folder)


def test_keys_whose_effects_read_files_of_this_machine_are_finished_here(cluster, write_recipe, tmp_path):
    soundfile.write(tmp_path / "room.wav", np.eye(99, 1), 48000)
    recipe = write_recipe("process: [{Convolution: {impulse_response_filename: room.wav}}]\n", pitches="60")
    samplepack.build(recipe, tmp_path / "output", cluster="auto")
    assert cluster.units == [[60]] and cluster.tasks == 0


def test_a_note_that_cannot_be_rendered_costs_the_packs_that_have_it(cluster, recipes, tmp_path, monkeypatch):
    monkeypatch.setattr("samplepack.rendering.cluster._LEAST_TOGETHER", 3)
    cluster.broken = {63}
    failed = []
    built = samplepack.build(recipes, tmp_path / "output", cluster="auto", on_failed=failed.append)
    # Units: 60 61 80, 62 63 64, 65.
    assert [one.folder.name for one in built] == ["pack-0"]
    assert [one.problems for one in failed] == [[f"{recipe}: a pitch is broken"] for recipe in recipes[1:3]]


def test_packs_that_wait_fill_half_of_the_cache_at_most(cluster, recipes, tmp_path, monkeypatch):
    # A pack's three notes of 4 s at 48 kHz are 2.3 MB.
    monkeypatch.setenv("SAMPLEPACK_CACHE_GB", "0.005")
    begun = []
    samplepack.build(
        recipes, tmp_path / "output", cluster="auto", on_built=lambda built: begun.append(len(cluster.units))
    )
    assert [sorted(unit) for unit in cluster.units] == [[60, 61, 80], [62, 63], [64, 65]]
    assert begun[0] == 1


def test_a_pack_whose_notes_do_not_fit_into_the_cache_or_cannot_be_kept_says_so(
    cluster, recipes, tmp_path, monkeypatch, home
):
    with (
        monkeypatch.context() as patch,
        pytest.raises(SamplepackError, match=r"^3 notes don't fit .* SAMPLEPACK_CACHE_GB$"),
    ):
        patch.setenv("SAMPLEPACK_CACHE_GB", "0.001")
        samplepack.build(recipes[0], tmp_path / "output", cluster="auto")
    assert cluster.units == []
    (home / "notes").write_text("in the way")
    with pytest.raises(SamplepackError, match=r"^notes couldn't be kept: .*notes"):
        samplepack.build(recipes[0], tmp_path / "output", cluster="auto")


def test_a_cluster_that_fails_ends_the_build_and_what_is_rendered_stays(cluster, recipes, tmp_path, home, monkeypatch):
    monkeypatch.setattr("samplepack.rendering.cluster._LEAST_TOGETHER", 3)

    def fail(next_unit, is_closed):
        rendering = StandIn.render(cluster, next_unit, is_closed)
        yield next(rendering)
        raise SamplepackError("node b has other versions")

    monkeypatch.setattr(cluster, "render", fail)
    failed = []
    built = samplepack.build(recipes, tmp_path / "output", cluster="auto", on_failed=failed.append)
    assert [one.folder.name for one in built] == ["pack-0"] and len(failed) == 2
    assert failed[0].problems == [f"{recipes[1]}: node b has other versions"]
    assert Cache(home / "notes").info().notes == 3


def test_a_lock_names_all_kinds_of_machines_that_took_part(cluster, recipes, tmp_path):
    samplepack.build(recipes[0], tmp_path / "output", cluster="auto")
    lock = recipes[0].with_suffix(".lock")
    assert json.loads(lock.read_text())["made_by"]["machine"] == machine_kind()
    lock.unlink()
    cluster.kinds = {machine_kind(), "a kind", "another"}
    samplepack.build(recipes[0], tmp_path / "output", cluster="auto")
    assert json.loads(lock.read_text())["made_by"]["machine"] == f"a kind, another, {machine_kind()}"
