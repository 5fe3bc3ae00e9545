"""Sets from instruments in SFZ."""

import pytest

from samplepack.datasets import sfz
from samplepack.formats import WRITERS
from tests.helpers.instruments import INSTRUMENTS, ROOTS
from tests.helpers.notes import places, tone, why, write


def test_an_sfz_map_gives_each_sample_at_its_root(folder, made):
    for pitch in (48, 60, 72):
        write(folder / "My Samples" / f"soft {pitch}.wav", tone(pitch, peak=0.2))
        write(folder / "My Samples" / f"loud {pitch}.wav", tone(pitch, peak=0.9))
    write(folder / "My Samples" / "noise.wav", tone(50))
    (folder / "keys.inc").write_text("<group> key=$LOW\n<region> sample=$DYN $LOW.wav\n")
    (folder / "Bell Tree.sfz").write_text(
        "// a comment with sample=nonsense.wav\n"
        "<control> default_path=My Samples\\\n"
        "#define $LOW 48\n#define $DYN loud\n"
        '#include "keys.inc"\n'
        "<global> ampeg_release=1 /* over\nlines <region> sample=no.wav */\n"
        "<group> lovel=0 hivel=70 pitch_keycenter=c4 <region> sample=soft 60.wav lokey=55\n"
        "<group> lovel=71\n<region> pitch_keycenter=60 sample=loud 60.wav\n"
        "<region>\nsample=loud 72.wav\nkey=72\n"
        "<region> trigger=release sample=noise.wav key=50\n\n"
        "<region> key=41 sample=gone.wav\n<region> sample=../../../../etc/passwd key=42\n<region> key=z9 sample=x.wav\n"
        f"<region> key=43 sample={'long' * 100}.wav\n",
        encoding="utf-8",
    )
    contents = made(folder / "Bell Tree.sfz")
    assert [(n.instrument, n.pitch, n.source) for n in contents.notes] == [
        ("Bell Tree", 48, "Bell Tree.sfz: My Samples/loud 48.wav"),
        ("Bell Tree", 60, "Bell Tree.sfz: My Samples/loud 60.wav"),
        ("Bell Tree", 72, "Bell Tree.sfz: My Samples/loud 72.wav"),
    ]
    assert {source.rsplit("/", 1)[1]: text.split(": ")[0] for source, text in why(contents).items()} == {
        "noise.wav": "not a note",
        "gone.wav": "missing",
        f"{'long' * 100}.wav": "missing",
        "passwd": "outside the instrument",
        "x.wav": "no pitch",
        "soft 60.wav": "another of the same instrument and pitch",
    }
    assert places(made(folder)) == places(contents), "a folder with a map is read by its map"


def test_maps_that_cannot_be_read_are_told(folder, made):
    write(folder / "a.wav", tone(60))
    (folder / "good.sfz").write_text("<region> sample=a.wav key=60 <region> sample=*sine key=62")
    (folder / "circle.sfz").write_text('#include "circle.sfz"')
    (folder / "empty.sfz").write_text("<region> key=60")
    (folder / "binary.sfz").write_bytes(bytes(range(256)))
    (folder / "away.sfz").write_text('#include "../../../x.sfz"')
    (folder / "gone.sfz").write_text('#include "x.sfz"')
    (folder / "bomb.sfz").write_text("".join(f"#define $A{n:02} {f'$A{n + 1:02}' * 9}\n" for n in range(30)) + "$A00\n")
    contents = made(folder)
    assert places(contents) == [("good", 60)]
    assert {source: text.split(": ", 1)[1][:17] for source, text in why(contents).items()} == {
        "good.sfz: *sine": "a generator of th",
        "circle.sfz": "its #include line",
        "empty.sfz": "it has no region ",
        "binary.sfz": "it has no region ",
        "away.sfz": "it includes ../..",
        "gone.sfz": "cannot read x.sfz",
        "bomb.sfz": "its #define lines",
    }


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_a_pack_of_samplepack_s_own_is_a_source(folder, made, instrument):
    for zone in instrument.zones:
        write(folder / zone.file, tone(zone.root))
    (folder / "Instruments").mkdir()
    (folder / "Instruments" / f"{instrument.name}.sfz").write_bytes(WRITERS["sfz"][1](instrument, folder))
    for source in (folder, folder / "Instruments"):
        assert places(made(source)) == [(instrument.name, root) for root in ROOTS]


def test_a_region_may_play_a_stretch_of_a_file(folder, tmp_path):
    (folder / "m.sfz").write_text(
        "<region> sample=a.wav key=60 offset=100 end=199 <region> sample=a.wav key=62 offset=200"
    )
    (first, second) = sfz.read_map(folder / "m.sfz", tmp_path)
    assert (first["offset"], first["end"], second["offset"]) == ("100", "199", "200")
