"""Pictures of packs: what they show, and that they depend on nothing else."""

import numpy as np
import pytest
from PIL import Image

from samplepack.pack import pictures as picture
from samplepack.pack.manifest import PackedWidth
from samplepack.sound.audio import read
from tests.helpers.packs import build, contents

ORANGE = (255, 136, 0)
"""The colour of the part of a note that loops."""

RECIPE = """\
paths: {Way: {through: [Glass, Choir], steps: 3, as: morph}}
author: Somebody
"""
PITCHES = [48, 60]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    recipe = folder / "r.yaml"
    recipe.write_text(f"recipe: 1\nname: Small\npitches: {PITCHES}\ntimbres: {{Glass: 7, Choir: 1312}}\n{RECIPE}")
    return build(recipe, folder / "output", folder / "cache")


@pytest.fixture(scope="module")
def images(built):
    def of_layer(instrument, layer):
        notes = [note for note in instrument.notes if note.layer == layer]
        return [picture.spectrogram(read(built.folder / note.file)) for note in notes]

    return {
        instrument.name: picture.keyboard_images([of_layer(instrument, i) for i in range(len(instrument.latents))])
        for instrument in built.manifest.instruments
    }


def draw(folder, built, images, instruments):
    """Draw a pack's pictures into a folder of their own, which has its sounds."""
    folder.mkdir()
    (folder / "Samples").symlink_to(built.folder / "Samples")
    named = {instrument.name for instrument in instruments}
    with picture.Drawing(folder, PITCHES, {name: images[name] for name in images if name in named}) as drawing:
        drawing.overview("Small", {instrument.name: instrument.axis for instrument in instruments})
        drawing.cover("Small", "Somebody")
        for instrument in instruments:
            drawing.instrument(instrument)
    return contents(folder / "Pictures") | {"cover.png": (folder / "cover.png").read_bytes()}


def without_loops(instrument):
    notes = tuple(note.model_copy(update={"loop": None}) for note in instrument.notes)
    return instrument.model_copy(update={"notes": notes})


def test_a_picture_does_not_depend_on_what_was_drawn_before(built, images, tmp_path):
    glass, choir, way = built.manifest.instruments
    picture._sheet.cache_clear()
    first = draw(tmp_path / "first", built, images, [glass, without_loops(choir), way])
    frames = picture._sheet.cache_info().misses
    again = draw(tmp_path / "again", built, images, [way, without_loops(choir), glass])
    assert picture._sheet.cache_info().misses == frames == 2  # a pack of the same keys has the same frames
    picture._sheet.cache_clear()
    assert first == again == draw(tmp_path / "anew", built, images, [way, without_loops(choir), glass])


def test_the_cover_is_a_small_square_that_changes_with_the_sounds(built, images, tmp_path):
    cover = Image.open(built.folder / "cover.png")
    assert cover.size == (800, 800) and (built.folder / "cover.png").stat().st_size < 400_000
    fewer = {"Glass": images["Glass"]}
    picture.draw_cover(tmp_path / "fewer.png", "Small", "Somebody", fewer)
    assert (tmp_path / "fewer.png").read_bytes() != draw(tmp_path / "all", built, images, built.manifest.instruments)[
        "cover.png"
    ]
    for name in ("A" * 200, "Été $x_$ 夜", "a b c d e f g h i j k l m n o p q r s t u v w x y z"):
        picture.draw_cover(tmp_path / "named.png", name, "", fewer)
        assert Image.open(tmp_path / "named.png").size == (800, 800)


def orange(file):
    """How many pixels of a picture have the colour of a loop."""
    return int(np.all(np.asarray(Image.open(file).convert("RGB")) == ORANGE, axis=-1).sum())


def test_an_instruments_picture_shows_which_of_its_keys_loop(built, images, tmp_path):
    glass = built.manifest.instruments[0]
    low, high = glass.notes
    assert low.loop and high.loop
    one = glass.model_copy(update={"notes": (low, high.model_copy(update={"loop": None}))})
    for name, instrument in {"both": glass, "one": one, "none": without_loops(glass)}.items():
        draw(tmp_path / name, built, images, [instrument])
    shown = [orange(tmp_path / name / "Pictures" / "Glass.png") for name in ("both", "one", "none")]
    assert shown[0] > shown[1] > shown[2] == 0


def test_every_layer_of_a_morph_is_shown_on_one_scale(built, images, tmp_path):
    way = built.manifest.instruments[-1]
    assert way.axis == "wheel" and len(images["Way"]) == 3
    assert max(image.max() for image in images["Way"]) == 255 and not all(i.max() == 255 for i in images["Way"])
    whole = draw(tmp_path / "whole", built, images, [way])
    for layer in range(3):
        dark = {**images, "Way": [i * (n != layer) for n, i in enumerate(images["Way"])]}
        without = draw(tmp_path / str(layer), built, dark, [way])
        assert without["Way.png"] != whole["Way.png"] and without["overview.png"] != whole["overview.png"]


def test_stereo_has_a_plot_of_how_alike_left_and_right_are(built, images, tmp_path):
    glass = built.manifest.instruments[0]
    drawn = []
    for correlation in (0.55, 0.95):
        width = PackedWidth(correlation=correlation, mono_db=-1.0)
        notes = tuple(note.model_copy(update={"width": width}) for note in glass.notes)
        wide = glass.model_copy(update={"notes": notes})
        drawn.append(draw(tmp_path / str(correlation), built, images, [wide])["Glass.png"])
    assert drawn[0] != drawn[1]
