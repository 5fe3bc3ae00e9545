"""The verbs of the live server: latents by name, notes as files, favourites."""

import numpy as np
import pytest
import yaml

from samplepack.base.errors import InputError
from samplepack.interactive.engine import NoteEngine
from samplepack.interactive.live import Live
from samplepack.models.latent import latent_from_seed, path_points, slerp
from samplepack.recipe import load_recipe
from samplepack.sound.audio import read
from samplepack.sound.partials import measure_partials

RECIPE = """\
recipe: 1
name: Stage
pitches: [48, 60]
timbres: {Glass: 7, Choir: 1312}  # a remark
sound: {loop: none}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stage")
    recipe = folder / "stage.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMPLEPACK_HOME", str(folder / "home"))
        engine = NoteEngine(workers=1)
        yield Live(str(recipe), engine), recipe
        engine.close()


@pytest.fixture
def live(made):
    return made[0]


def z(live, name):
    return np.array(live.answer("get_z", [name]), np.float32)


def test_latents_are_drawn_mixed_and_set_by_name(live):
    dim = len(z(live, 7))
    a, seed_a, b, seed_b = live.answer("randomize_z", ["a", "b"])
    assert (a, b) == ("a", "b") and np.array_equal(z(live, "a"), latent_from_seed(seed_a, dim))
    assert live.answer("slerp_z", ["a", "b", "c", 0.25]) == ["c"]
    one, two = (latent_from_seed(seed, dim) for seed in (seed_a, seed_b))
    assert np.array_equal(z(live, "c"), slerp(one, two, 0.25))
    assert live.answer("set_z", ["drawn", *np.linspace(-1.0, 2.0, 16)]) == ["drawn", dim]
    assert z(live, "drawn") == pytest.approx(np.linspace(-1.0, 2.0, dim), abs=1e-5)
    assert live.answer("path", ["p", 0.5, "a", "Glass", 7.0]) == ["p"]
    through = [one, latent_from_seed(7, dim), latent_from_seed(7, dim)]
    assert z(live, "p") == pytest.approx(path_points(through, 3)[1], abs=0.02)


def test_a_note_is_a_file_as_in_a_build(live):
    path, key, root, gain, rate_hz, frames, first, last, _ = live.answer("render", ["Glass", 61, 100])
    audio = read(path)
    assert (key, root, rate_hz, frames, first, last) == (61, 60, audio.rate_hz, audio.samples.shape[1], -1, -1)
    assert 0.5 < gain < 1.0 and live.answer("render", ["Glass", 60])[3] == 1.0
    assert abs(measure_partials(audio, 60)[0].cents) < 3.0
    assert live.answer("render", ["Glass", 61, 100])[0] == path


def test_sopimlabs_verbs_take_their_arguments(live):
    live.answer("randomize_z", ["z1", "z2"])
    first, one, second, two = live.answer("synthesize", ["z1", "audio1", 48, "z2", "audio2", 48.0])
    assert (first, second) == ("audio1", "audio2") and one != two
    assert read(one).samples.any() and read(two).samples.any()
    name, path = live.answer("synthesize_noz", ["audio1", 48])
    assert name == "audio1" and read(path).samples.any()
    name, path, seconds = live.answer("hallucinate", ["walk", 2, 1, 0.5, 0.1, 0.2, 0.4, 0.2, 48])
    assert seconds == pytest.approx(read(path).duration_s) and seconds == pytest.approx(2 * 0.5 + 0.8, abs=0.05)


@pytest.mark.parametrize(
    ("verb", "values", "message"),
    [
        ("jump", [], "there is no verb 'jump'; there are: load, randomize_z, slerp_z"),
        ("randomize_z", [], "the name of a latent is missing; the form is: randomize_z z1"),
        ("slerp_z", ["a", "Glass", "c", 0.5], "z0: nothing is called 'a-nobody'"),
        ("slerp_z", [1, 2, "c", 1.5], "the amount should be a number from 0 to 1, not 1.5"),
        ("slerp_z", [1, 2, "c", float("nan")], "the amount is nan"),
        ("slerp_z", [1, 2, "c", 0.5, 3], "1 arguments too many"),
        ("set_z", ["a", 0.0, 0.0], "a latent of zeros has no direction"),
        ("set_z", ["a", "x"], "a number should be a number"),
        ("render", ["Glass", 60.5], "the key should be a whole number, not 60.5"),
        ("render", ["Glass", 60, 128], "the velocity should be a number from 1 to 127, not 128"),
        ("render", ["Glass", 120], "key 120 is silent"),
        ("render", [b"Glass", 60], "the timbre should be text or a number"),
        ("synthesize", ["Glass", "a", 60, "Glass"], "the name of an audio is missing"),
        ("synthesize_noz", ["a", 60, "x"], "an edit should be a number, not 'x'"),
        ("hallucinate", ["a", 100, 100], "there may be 200"),
        ("move", [7, "c", "no-such", 1.0], "direction"),
        ("load", ["nothing-of-that-name"], "nothing-of-that-name"),
        ("favourite", [7, "a/b"], "can't be a file name"),
        ("favourite", [7, "Glass"], "the recipe has a timbre 'Glass' already"),
    ],
)
def test_wrong_arguments_are_told(live, verb, values, message):
    values = ["a-nobody" if value == "a" and verb == "slerp_z" else value for value in values]
    with pytest.raises(InputError) as refused:
        live.answer(verb, values)
    assert message in "; ".join(problem.message for problem in refused.value.problems)


def test_favourites_are_written_into_the_recipe(made):
    live, recipe = made
    _, seed = live.answer("randomize_z", ["found"])
    live.answer("slerp_z", ["found", "Glass", "mixed", 0.5])
    mixed = z(live, "mixed")
    assert live.answer("favourite", ["found", "Found"]) == ["Found", str(recipe)]
    assert live.answer("favourite", ["mixed", "Mixed"])[0] == "Mixed"
    text = recipe.read_text("utf-8")
    assert "# a remark" in text
    assert yaml.safe_load(text)["timbres"] == {
        "Glass": 7,
        "Choir": 1312,
        "Found": seed,
        "Mixed": {"latent": "latents/Mixed.npy"},
    }
    assert np.array_equal(load_recipe(recipe).recipe.timbres["Mixed"].latent.values, mixed)
    assert np.array_equal(z(live, "Mixed"), mixed)


def test_a_recipe_or_a_checkpoint_is_loaded(made):
    live, recipe = made
    what, dim, rate_hz, low, high, *_ = live.answer("load", ["starter"])
    assert what == "starter" and rate_hz == 48000 and low < high and len(z(live, 7)) == dim
    with pytest.raises(InputError, match="no recipe to write into"):
        live.answer("favourite", [7, "Seven"])
    assert live.answer("load", [str(recipe)])[5:7] == ["Glass", "Choir"]
