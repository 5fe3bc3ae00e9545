"""The file of a checkpoint's directions, and moving along them."""

import json
import shutil

import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.checkpoints.directions import (
    Direction,
    Directions,
    directions_file,
    moved,
    read_directions,
    write_directions,
)
from samplepack.models.checkpoint import read_checkpoint
from samplepack.models.latent import latent_from_seed

STEP = latent_from_seed(1, 32)


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(library.STARTERS["starter@1"], folder, ignore=shutil.ignore_patterns("directions.json"))
    return read_checkpoint(folder, "./mine")


def directions_of(checkpoint, *found):
    found = found or (direction("brightness"),)
    return Directions(directions=1, checkpoint=checkpoint.digest, found=found)


def direction(name, step=STEP):
    return Direction(name=name, step=tuple(float(str(number)) for number in step))


def test_what_is_written_is_read_bit_for_bit_from_the_checkpoints_own_folder(checkpoint):
    assert read_directions(checkpoint) is None
    written = write_directions(directions_of(checkpoint), checkpoint)
    assert written == directions_file(checkpoint) == checkpoint.folder / "directions.json"
    read = read_directions(checkpoint)
    assert read == directions_of(checkpoint) and np.array_equal(read.found[0].values, STEP)
    assert read.found[0].unit_vector == pytest.approx(STEP / np.linalg.norm(STEP), abs=1e-6)


def test_where_the_folder_cannot_be_written_they_are_kept_by_the_checkpoints_digest(checkpoint, home, monkeypatch):
    from samplepack.checkpoints import directions as module

    def refuse_the_folder(path, content, write=module.write_aside):
        if path.parent == checkpoint.folder:
            raise PermissionError(13, "Permission denied", str(path))
        write(path, content)

    monkeypatch.setattr(module, "write_aside", refuse_the_folder)
    written = write_directions(directions_of(checkpoint), checkpoint)
    assert written == home / "directions" / f"{checkpoint.digest}.json"
    assert read_directions(checkpoint) == directions_of(checkpoint)


def test_an_imported_checkpoint_keeps_its_directions(checkpoint):
    write_directions(directions_of(checkpoint), checkpoint)
    assert read_directions(library.import_checkpoint(checkpoint.folder, "mine")) == directions_of(checkpoint)


def test_moving_is_exact_and_regardless_of_the_order_of_amounts():
    known = {name: direction(name, latent_from_seed(i, 32)) for i, name in enumerate(("pc1", "noise", "attack"))}
    z = latent_from_seed(7, 32)
    there = moved(z, known, {"noise": 1.5, "attack": -0.3, "pc1": 0.1})
    assert there.dtype == np.float32
    assert there.tobytes() == moved(z, known, {"pc1": 0.1, "attack": -0.3, "noise": 1.5}).tobytes()
    wanted = z + 1.5 * known["noise"].values - 0.3 * known["attack"].values + 0.1 * known["pc1"].values
    assert there == pytest.approx(wanted, abs=1e-5)
    assert moved(z, known, {}).tobytes() == moved(z, known, {"pc1": 0.0}).tobytes() == z.tobytes()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data.update(checkpoint="0" * 64), "the directions of another checkpoint (000000000000…)"),
        (lambda data: data.update(directions=2), "no file of directions of this version: directions: Input should be 1"),
        (lambda data: data["found"][0].update(step=[1.0, 2.0]), "a step should have 32 numbers, as a latent has"),
        (lambda data: data["found"][0].update(step=[0.0] * 32), "a step is nothing but zeros"),
        (lambda data: data["found"][0].update(step=[1e300] * 32), "beyond what float32 can hold"),
        (lambda data: data["found"].append(data["found"][0]), "two directions have the same name"),
        (lambda data: data["found"][0].update(name="../x"), "found.0.name: String should match pattern"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_told_with_the_way_to_a_new_one(checkpoint, change, problem):
    file = write_directions(directions_of(checkpoint), checkpoint)
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
    with pytest.raises(InputError) as raised:
        read_directions(checkpoint)
    assert problem in str(raised.value)
    assert str(raised.value).endswith("find them anew: samplepack directions ./mine --again")
