"""Soundfonts, read back by the specification; `tests/system/test_sf2.py` plays them."""

import numpy as np
import pytest

from samplepack.formats import sf2
from samplepack.formats._modulators import attenuation, played_gain
from samplepack.formats.instrument import About, Instrument, Playing, gain_at, path_ranges, velocity_ranges
from samplepack.formats.soundfont import PresetZone, read_presets
from samplepack.sound.audio import Audio, encode
from samplepack.sound.riff import Loop
from tests.helpers.instruments import FRAMES, INSTRUMENTS, MORPH, ROOTS, morph, velocity_layers, zones
from tests.helpers.soundfonts import Soundfont

ATTENUATION, WHEEL, VELOCITY = 48, 0x81, 2


@pytest.fixture
def pack(tmp_path):
    """A function that writes the sounds of instruments, each of its own level, and returns the folder."""

    def call(*instruments, channels=1, bits=24, file="wav"):
        for instrument in instruments:
            for zone in instrument.zones:
                path = tmp_path / zone.file
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    noise = np.random.default_rng(len(list(tmp_path.rglob("*.wav"))))
                    samples = noise.uniform(-1.0, 1.0, (channels, FRAMES)).astype(np.float32)
                    path.write_bytes(encode(Audio(samples, 48000), file, bits, 0))
        return tmp_path

    return call


def font(instrument, folder):
    return Soundfont(sf2.write(instrument, folder))


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_the_tables_are_as_the_specification_has_them(instrument, pack):
    read = font(instrument, pack(instrument))
    assert read.order == [b"INFO", b"sdta", b"pdta"]
    tables = [b"phdr", b"pbag", b"pmod", b"pgen", b"inst", b"ibag", b"imod", b"igen", b"shdr"]
    assert [name for name in read.chunks if name in tables] == tables
    assert len(read.points) % 2 == 0 and len(read.chunks[b"sm24"]) == len(read.points)
    assert read.chunks[b"ifil"] == b"\2\0\4\0" and len(read.presets) == len(read.instruments) == 1
    common, *others = read.all_zones()
    assert 53 not in common.of and all(list(zone.of)[-1] == 53 and next(iter(zone.of)) == 43 for zone in others)
    names = [sample.name for sample in read.samples]
    assert len(set(names)) == len(names) and all(names)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_what_is_read_back_are_the_zones_that_the_format_can_hold(instrument, channels, pack):
    folder = pack(instrument, channels=channels)
    (folder / "read.sf2").write_bytes(sf2.write(instrument, folder))
    ((name, found),) = read_presets(folder / "read.sf2").items()
    assert [name] == sf2.preset_names([instrument.name])
    assert found == {
        PresetZone(zone.keys.low, zone.keys.high, zone.root, zone.frames, zone.loop)
        for zone in sf2.playable_zones(instrument)
    }


@pytest.mark.parametrize("channels", [1, 2])
def test_the_points_are_those_of_the_files_and_zeros_follow_them(channels, pack):
    instrument = Instrument("Wide", zones("Wide", loop=Loop(20, 199)))
    folder = pack(instrument, channels=channels)
    read = font(instrument, folder)
    assert len(read.samples) == channels * len(ROOTS)
    import soundfile

    for number, sample in enumerate(read.samples):
        wav, _ = soundfile.read(folder / f"Samples/Wide/Wide_{sample.root:03d}.wav", dtype="int32", always_2d=True)
        np.testing.assert_array_equal(read.points[sample.start : sample.end], wav[:, number % channels] >> 8)
        assert not read.points[sample.end : sample.end + 46].any()
        assert (sample.loop[0] - sample.start, sample.loop[1] - sample.start) == (20, 200)
        assert sample.rate_hz == 48000 and sample.correction == 0
    if channels == 2:
        assert {(sample.kind, read.samples[sample.partner].kind) for sample in read.samples} == {(4, 2), (2, 4)}
        assert all(abs(number - sample.partner) == 1 for number, sample in enumerate(read.samples))
        pans = [zone.of[17] for zone in read.zones()]
        assert pans == [0x10000 - 500, 500] * len(ROOTS)


def test_sounds_of_16_bits_have_no_lower_ones(pack):
    instrument = Instrument("Plain", zones("Plain"))
    assert b"sm24" not in font(instrument, pack(instrument, bits=16)).chunks


def test_a_bank_has_presets_in_order_and_each_sound_once(pack, tmp_path):
    one, two = Instrument("Dawn", zones("Dawn")), Instrument("Noon", zones("Noon"))
    twin = Instrument("Path 1", zones("Dawn"))
    folder = pack(one, two)
    assert sf2.write_bank("Pack", About(), [two, one, twin], folder, tmp_path / "Pack.sf2")
    read = Soundfont((tmp_path / "Pack.sf2").read_bytes())
    assert read.presets == [("Noon", 0, 0), ("Dawn", 1, 0), ("Path 1", 2, 0)]
    assert len(read.samples) == 2 * len(ROOTS)
    played = [[read.samples[zone.of[53]].name for zone in read.zones(number)] for number in range(3)]
    assert played[1] == played[2] != played[0]


def test_what_the_format_cannot_count_is_no_bank(pack, tmp_path, monkeypatch):
    one, two = Instrument("Dawn", zones("Dawn")), Instrument("Noon", zones("Noon"))
    folder = pack(one, two)
    monkeypatch.setattr(sf2, "_MOST_RECORDS", 8)
    assert not sf2.write_bank("Pack", About(), [one, two], folder, tmp_path / "Pack.sf2")
    assert not (tmp_path / "Pack.sf2").exists()


def test_the_file_says_who_made_it_and_under_which_terms(pack):
    about = About("Änne & Co", "CC0-1.0", "Bells that breathe.", "Pads", ("warm", "wide"))
    instrument = Instrument("Glöckchen", zones("Glass"), about=about)
    texts = {name: chunk.rstrip(b"\0").decode() for name, chunk in font(instrument, pack(instrument)).chunks.items()
             if name in (b"INAM", b"IENG", b"ICOP", b"ICMT")}  # fmt: skip
    assert texts == {
        b"INAM": "Glöckchen", b"IENG": "Änne & Co", b"ICOP": "CC0-1.0",
        b"ICMT": "Bells that breathe.\nCategory: Pads\nTags: warm, wide",
    }  # fmt: skip


@pytest.mark.parametrize(
    "names, shown",
    [
        (["Weißglas Ümläut"], ["Weissglas Umlaut"]),
        (["A name that is longer than twenty", "A name that is longer than this"],
         ["A name that is longe", "A name that is lon 2"]),
        (["鐘", "鈴"], ["Sound", "Sound 2"]),
    ],
)  # fmt: skip
def test_names_are_ascii_short_and_different(names, shown, pack, tmp_path):
    instruments = [Instrument(name, zones("Glass")) for name in names]
    sf2.write_bank("Names", About(), instruments, pack(*instruments), tmp_path / "Names.sf2")
    read = Soundfont((tmp_path / "Names.sf2").read_bytes())
    assert [name for name, _, _ in read.presets] == shown == read.instruments


# Curves


@pytest.mark.parametrize("reach", [127, 128])
@pytest.mark.parametrize("alike", [[1.0], [0.6, 0.9], [0.9] * 4, [0.2, 0.7, 0.8, 0.4]])
def test_layers_on_the_wheel_keep_one_level(alike, reach):
    """As two sounds of one level add up whose correlation is known; in SFZ it is 0.9 dB at most."""
    ranges = path_ranges(alike, "wheel")
    fonts = [attenuation(WHEEL, {at: gain_at(wheel, at) for at in range(128)}) for wheel in ranges]
    gains = np.array([[played_gain(modulators, at, reach) for at in range(128)] for modulators in fonts])
    power = np.sum(gains**2, axis=0) + 2 * sum(r * a * b for r, a, b in zip(alike, gains, gains[1:], strict=False))
    level_db = 10 * np.log10(power)
    assert np.ptp(level_db) < 1.8 and abs(level_db[0]) < 0.15 and abs(level_db[-1]) < 0.15
    # Far from its own place a layer is out of the sound.
    wanted = np.array([[gain_at(wheel, at) for at in range(128)] for wheel in ranges])
    assert np.median(gains[wanted == 0.0]) < 0.02 if len(ranges) > 2 else True
    assert max(gains[wanted == 0.0], default=0.0) < 0.35


@pytest.mark.parametrize(
    "curve, power, tracking", [("soft", 1, 80), ("normal", 2, 50), ("normal", 2, 98), ("hard", 3, 80), ("fixed", 0, 80)]
)
def test_level_follows_velocity_as_in_sfz(curve, power, tracking, pack):
    instrument = Instrument("Glass", zones("Glass"), "sustain", tracking, Playing(velocity_curve=curve))
    common = next(font(instrument, pack(instrument)).all_zones())
    modulators = [sf2.Modulator(*m) for m in common.modulators if m[1] == ATTENUATION and m[0] & 0xFF == VELOCITY]
    for velocity in range(32, 128):
        wanted = 1.0 - tracking / 100 * (1.0 - (velocity / 127) ** power)
        off_db = 20 * np.log10(played_gain(modulators, velocity) / wanted)
        assert abs(off_db) < 0.3 * wanted**-0.7, velocity  # the quieter, the less it matters


def test_velocity_layers_fade_as_their_ranges_say(pack):
    layers = velocity_ranges(3)
    instrument = velocity_layers(*layers)
    read = font(instrument, pack(instrument))
    assert not [m for m in next(read.all_zones()).modulators if m[1] == ATTENUATION]
    for velocity in (5, 30, 40, 45, 50, 64, 80, 90, 127):
        heard = {}
        for zone in read.zones():
            if zone.of[43] & 0xFF <= 60 <= zone.of[43] >> 8 and zone.of[44] & 0xFF <= velocity <= zone.of[44] >> 8:
                own = [sf2.Modulator(*m) for m in zone.modulators if m[1] == ATTENUATION]
                layer = int(read.samples[zone.of[53]].name.split("_")[0].split()[1])
                heard[layer] = played_gain(own, velocity)
        tracked = 1.0 - 0.8 * (1.0 - (velocity / 127) ** 2)
        for layer, wanted in enumerate(gain_at(values, velocity) for values in layers):
            assert heard.get(layer, 0.0) == pytest.approx(wanted * tracked, abs=0.03), (velocity, layer)


def test_of_a_long_morph_five_timbres_play_at_even_distances(pack):
    long = morph([0.9] * 8)
    read = font(long, pack(long))
    assert {sample.name.rpartition("_")[0] for sample in read.samples} == {f"Path {i}" for i in (0, 2, 4, 6, 8)}
    short = font(MORPH, pack(MORPH))
    assert len({sample.name.rpartition("_")[0] for sample in short.samples}) == 5


def test_the_wheel_moves_a_morph_and_no_vibrato(pack):
    common, *others = font(MORPH, pack(MORPH)).all_zones()
    assert (WHEEL, 6, 0, 0, 0) in common.modulators and (13, 6, 30, 0, 0) in common.modulators
    assert all(any(m[0] & 0xFF == WHEEL and m[1] == ATTENUATION for m in zone.modulators) for zone in others)
