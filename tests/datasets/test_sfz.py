"""Sets from instruments in SFZ."""

import os
import time

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
    both = made(folder / "Bell Tree.sfz")
    assert [(n.pitch, n.velocity, n.source.rsplit("/", 1)[1]) for n in both.notes] == [
        (48, 100, "loud 48.wav"),
        (60, 100, "loud 60.wav"),
        (60, 70, "soft 60.wav"),
        (72, 100, "loud 72.wav"),
    ]
    contents = made(folder / "Bell Tree.sfz", one_velocity=True)
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
    assert places(made(folder, one_velocity=True)) == places(contents), "a folder with a map is read by its map"


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


BOMBS = {
    "a definition for each letter": f"#define $A {'x' * 90_000}\n{'$A' * 30_000}\n",
    "comments that don't end": "/* " * 300_000 + "<region> sample=a.wav",
    "definitions": "".join(f"#define $A{i} x\n" for i in range(20_000)) + "$\n" * 20_000,
    "opcodes": "<region> sample=a.wav\n" + "".join(f"a{i}=1\n" for i in range(100_000)),
    "inherited opcodes": "<global>" + "".join(f"a{i}=1\n" for i in range(5000)) + "<region> sample=a.wav\n" * 5000,
    "length": "\n" * (9 << 20),
    "included length": '#include "long.inc"\n' * 90,
    "headers": "<group>" * 400_000,
    "marks": "<" * 1_000_000 + "=" * 1_000_000,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_map_that_would_take_minutes_is_told_or_read_in_seconds(folder, tmp_path, bomb):
    (folder / "m.sfz").write_text(BOMBS[bomb])
    (folder / "long.inc").write_text("// a long line\n" * 100_000)
    began_s = time.process_time()
    try:
        sfz.read_map(folder / "m.sfz", tmp_path)
    except sfz.BrokenMap as problem:
        assert len(str(problem)) < 200
    assert time.process_time() - began_s < 5.0


def test_pipes_devices_and_links_that_lead_out_are_not_read(folder, tmp_path):
    os.mkfifo(folder / "pipe.inc")
    (folder / "device.inc").symlink_to("/dev/zero")
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere.inc"
    elsewhere.write_text("<region> sample=a.wav")
    (folder / "link.inc").symlink_to(elsewhere)
    for name, told in (("pipe", "not a regular file"), ("device", "leads out"), ("link", "leads out")):
        (folder / "m.sfz").write_text(f'#include "{name}.inc"\n')
        with pytest.raises(sfz.BrokenMap, match=told):
            sfz.read_map(folder / "m.sfz", tmp_path)


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_a_pack_of_samplepack_s_own_is_a_source(folder, made, instrument):
    for zone in instrument.zones:
        write(folder / zone.file, tone(zone.root))
    (folder / "Instruments").mkdir()
    (folder / "Instruments" / f"{instrument.name}.sfz").write_bytes(WRITERS["sfz"][1](instrument, folder))
    for source in (folder, folder / "Instruments"):
        assert places(made(source, one_velocity=True)) == [(instrument.name, root) for root in ROOTS]


def test_a_region_may_play_a_stretch_of_a_file(folder, tmp_path):
    (folder / "m.sfz").write_text(
        "<region> sample=a.wav key=60 offset=100 end=199 <region> sample=a.wav key=62 offset=200"
    )
    (first, second) = sfz.read_map(folder / "m.sfz", tmp_path)
    assert (first["offset"], first["end"], second["offset"]) == ("100", "199", "200")
