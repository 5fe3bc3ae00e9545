"""Recipes that are built together: every problem of all of them, at once."""

import shutil

import pytest

from samplepack.base.errors import InputError
from samplepack.checkpoints.library import STARTERS
from samplepack.pack.recipes import check_recipes
from tests.helpers.places import FIXTURES


@pytest.fixture
def write(write_recipe, tmp_path):
    shutil.copy(FIXTURES / "clip.mid", tmp_path)

    def write_named(name, text, clip="{midi: clip.mid, timbres: [Glass]}"):
        path = write_recipe(f"{text}\nclips:\n  Song: {clip}\n", name=f"{name}.yaml")
        path.write_text(path.read_text(encoding="utf-8").replace("name: Small", f"name: {name}"), encoding="utf-8")
        return path

    return write_named


def problems_of(*paths):
    with pytest.raises(InputError) as raised:
        check_recipes(paths)
    return [str(problem).replace(f"{paths[0].parent}/", "") for problem in raised.value.problems]


def test_good_recipes_come_back_in_their_order(write):
    paths = [write("b", ""), write("a", "")]
    assert [checked.loaded.path for checked in check_recipes(paths)] == paths


def test_every_problem_of_every_recipe_is_told_clips_included(write, tmp_path):
    unplayable = "{midi: clip.mid, timbres: [Glass], tracks: [9]}"
    paths = [
        write("first", "process: [Revreb]", unplayable),
        tmp_path / "none.yaml",
        write("second", "checkpoint: nowhere", unplayable),
        write("third", "", unplayable),
    ]
    known = ", ".join(["starter", *STARTERS])
    assert problems_of(*paths) == [
        "first.yaml:5:11: process[0]: Pedalboard has no effect 'Revreb'; did you mean 'Reverb'?",
        "first.yaml:7:16: clips.Song.midi: it has no track 9 with notes (there are: 1, 2, 3)",
        "none.yaml: cannot read it: No such file or directory",
        f"second.yaml:5:13: no checkpoint is called 'nowhere' (known: {known}; a path starts with ./)",
        "third.yaml:7:16: clips.Song.midi: it has no track 9 with notes (there are: 1, 2, 3)",
    ]


def test_a_clip_that_is_wrong_itself_is_told_once(write):
    path = write("a", "", "{midi: clip.mid, timbres: [Nobody], tracks: [9]}")
    assert problems_of(path) == ["a.yaml:7:36: clips.Song.timbres[0].timbre: no timbre is called 'Nobody'"]


def test_two_recipes_of_one_pack_are_not_built_over_each_other(write):
    first, second = write("Glass Choir", ""), write("glass-choir", "")
    assert problems_of(first, second) == [
        f"glass-choir.yaml: its pack would take the place of that of {first}: both are glass-choir".replace(
            f"{first.parent}/", ""
        )
    ]
