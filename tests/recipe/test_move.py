"""Timbres that are moved along directions: what a recipe may say, which latents come of it, and what `diff` tells."""

import json
import shutil

import jsonschema
import numpy as np
import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints import library
from samplepack.checkpoints.directions import Direction, Directions, moved, write_directions
from samplepack.models.checkpoint import read_checkpoint
from samplepack.models.latent import latent_from_seed, slerp
from samplepack.pack.diff import compare, read
from samplepack.pack.lock import read_required_locks, write_lock
from samplepack.recipe import json_schema, load_recipe
from samplepack.recipe.timbres import split_origin
from samplepack.rendering.plan import timbre_latents

STEPS = {"brightness": latent_from_seed(1, 32), "pc3": latent_from_seed(3, 32)}


@pytest.fixture
def mine(tmp_path):
    """A folder with a checkpoint `mine` that has two directions; gives the checkpoint."""
    folder = tmp_path / "mine"
    shutil.copytree(library.STARTERS["starter@1"], folder, ignore=shutil.ignore_patterns("directions.json"))
    checkpoint = read_checkpoint(folder, "./mine")
    give(checkpoint, STEPS)
    return checkpoint


def give(checkpoint, steps):
    found = tuple(
        Direction(name=name, step=tuple(float(str(number)) for number in step)) for name, step in steps.items()
    )
    write_directions(Directions(directions=1, checkpoint=checkpoint.digest, found=found), checkpoint)


@pytest.fixture
def recipe(mine, write_recipe):
    def write(timbres, name="small.yaml"):
        return write_recipe("checkpoint: ./mine\n", name=name, timbres=timbres)

    return write


def problems_of(path):
    with pytest.raises(InputError) as raised:
        load_recipe(path)
    return [str(problem).replace(f"{path.parent}/", "") for problem in raised.value.problems]


def test_a_timbre_is_moved_from_its_own_point_and_others_lie_toward_where_it_came_to(recipe):
    path = recipe(
        "{Bright: {seed: 7, move: {brightness: 1.5, pc3: -0.8}},"
        " Between: {seed: 9, toward: Bright, at: 0.25},"
        " Arc: {seed: 9, toward: Bright, at: 0.25, move: {pc3: 2}}, Viola: {instrument: viola, move: {pc3: 1}}}"
    )
    loaded = load_recipe(path)
    latents = timbre_latents(loaded.recipe, 32)
    wanted = latent_from_seed(7, 32).astype(float) + 1.5 * STEPS["brightness"] - 0.8 * STEPS["pc3"]
    assert latents["Bright"] == pytest.approx(wanted, abs=1e-5)
    between = slerp(latent_from_seed(9, 32), latents["Bright"], 0.25)
    assert latents["Between"].tobytes() == between.tobytes()
    assert latents["Arc"] == pytest.approx(between + 2.0 * STEPS["pc3"], abs=1e-5)
    assert loaded.recipe.timbres["Bright"].origin == "seed: 7, move: {brightness: 1.5, pc3: -0.8}"
    assert loaded.recipe.timbres["Arc"].origin == "seed: 9, toward: Bright, at: 0.25, move: {pc3: 2.0}"


def test_what_is_wrong_with_movements_is_told_at_its_place_with_the_directions_there_are(recipe):
    path = recipe(
        "{A: {seed: 7, move: {brightnes: 1, warmth: 1}}, B: {seed: 7, move: {pc3: 11}}, C: {seed: 7, move: {}}}"
    )
    assert problems_of(path) == [
        "small.yaml:4:31: timbres.A.move: no direction is called 'brightnes' (the checkpoint has brightness, pc3); "
        "did you mean 'brightness'?",
        "small.yaml:4:45: timbres.A.move: no direction is called 'warmth' (the checkpoint has brightness, pc3)",
        "small.yaml:4:83: timbres.B.move.pc3: should be less than or equal to 10, not 11",
        "small.yaml:4:108: timbres.C.move: should have at least 1 item",
    ]
    assert problems_of(recipe("{A: {seed: 7, move: {pc3: far, brightness: .nan}}}")) == [
        "small.yaml:4:36: timbres.A.move.pc3: should be a valid number, not 'far'",
        "small.yaml:4:53: timbres.A.move.brightness: should be less than or equal to 10, not nan",
    ]
    assert problems_of(recipe("{A: {seed: 7, move: 3}}")) == [
        "small.yaml:4:30: timbres.A.move: should be a mapping, not 3"
    ]
    assert problems_of(recipe("{A: {move: {pc3: 1}}}")) == [
        "small.yaml:4:14: timbres.A: should have one of: seed, instrument, latent, like"
    ]


def test_a_checkpoint_without_directions_says_how_to_find_them(recipe, mine):
    path = recipe("{A: {seed: 7, move: {pc3: 1}}, B: {seed: 7, move: {pc3: 2}}}")
    (mine.folder / "directions.json").unlink()
    (problem,) = problems_of(path)
    assert problem == (
        "small.yaml:4:30: timbres.A.move: no directions of checkpoint './mine' have been found yet; "
        "run: samplepack directions mine"
    )
    (mine.folder / "directions.json").write_text("{}")
    (problem,) = problems_of(path)
    assert (
        problem.startswith("small.yaml:4:30: timbres.A.move: ") and "no file of directions of this version" in problem
    )
    assert load_recipe(recipe("{A: 7}")).recipe.timbres["A"].seed == 7  # which needs no directions


def test_the_lock_holds_what_the_used_directions_are_and_refuses_others(recipe, mine, tmp_path):
    path = recipe("{A: {seed: 7, move: {pc3: 1}}}")
    lock = read(str(path))
    assert lock.inputs.keys() == {"small.yaml", "directions.json"}
    assert lock.instruments["A"].values()[0].tobytes() == (
        moved(latent_from_seed(7, 32), load_directions(mine), {"pc3": 1.0}).tobytes()
    )
    write_lock(tmp_path / "small.lock", lock)
    give(mine, {**STEPS, "brightness": STEPS["brightness"] * 2.0})  # isn't used
    assert read_required_locks([path], [read(str(path))]) == [lock]
    give(mine, {**STEPS, "pc3": STEPS["pc3"] * np.float32(1.000001)})
    with pytest.raises(InputError, match="directions.json has changed"):
        read_required_locks([path], [read(str(path))])
    assert "directions.json" not in read(str(recipe("{A: 7}", "plain.yaml"))).inputs


def load_directions(checkpoint):
    from samplepack.checkpoints.directions import read_directions

    return read_directions(checkpoint).named()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("{seed: 7}", "{seed: 7, move: {brightness: 1.5}}", "brightness 1.5 more"),
        ("{seed: 7, move: {brightness: 1.5, pc3: 1}}", "{seed: 7, move: {brightness: 1}}", "brightness 0.5 less, pc3 1 less"),
        ("{seed: 7}", "{seed: 8, move: {pc3: -2}}", "pc3 2 less (seed: 7 → seed: 8)"),
    ],
)  # fmt: skip
def test_diff_tells_movements_in_words(recipe, before, after, told):
    one, two = (read(str(recipe(f"{{A: {timbre}}}", name))) for timbre, name in ((before, "a.yaml"), (after, "b.yaml")))
    (line,) = compare(one, two).instruments
    assert line.startswith("A moved by ") and line.endswith(f"(two seeds lie some 90° apart): {told}")


def test_the_amounts_are_read_back_from_an_origin(recipe):
    amounts = {"brightness": 1.5, "pc3": -1e-07}
    loaded = load_recipe(recipe("{A: {seed: 7, move: {brightness: 1.5, pc3: -0.0000001}}, B: {seed: 7}}"))
    assert split_origin(loaded.recipe.timbres["A"].origin) == ("seed: 7", amounts)
    assert split_origin(loaded.recipe.timbres["B"].origin) == ("seed: 7", {})
    assert split_origin("like: a, move: {b}.wav") == ("like: a, move: {b}.wav", {})


def test_the_json_schema_of_recipes_has_them():
    schema = json_schema()
    good = {"recipe": 1, "name": "A", "timbres": {"A": {"seed": 7, "move": {"pc1": 1.5}}}}
    jsonschema.validate(good, schema)
    for wrong in ({}, {"pc1": 11}, {"pc1": "far"}, [1]):
        bad = json.loads(json.dumps(good))
        bad["timbres"]["A"]["move"] = wrong
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(bad, schema)
