"""Static pages of packs: their files, and that nothing in a pack gets out of its place."""

import io
import json
import re
import shutil
import urllib.parse
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from samplepack.pack.manifest import read_manifest
from samplepack.sound.audio import Audio, read
from samplepack.web.site import write_site
from samplepack.web.sounds import MOST_BYTES, every, opus
from tests.helpers.packs import contents, files
from tests.helpers.tone_packs import write_pack

SINE = {1: 0.4}
PLAIN = {"Tone": ("none", [57, 60], [SINE], None)}
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&amp;"


@pytest.fixture
def pack(tmp_path):
    return write_pack(tmp_path / "tones", PLAIN)


def data_of(site, page="tones"):
    html = (site / page / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html)[1])


def test_a_site_holds_its_pages_what_they_load_and_nothing_else(run, pack, tmp_path):
    ran = run("page", pack, "--output", tmp_path / "site")
    assert ran.code == 0 and "1 instrument, 0." in ran.out
    names = files(tmp_path / "site")
    loaded = {f"tones/{zone['file']}" for zone in data_of(tmp_path / "site")["instruments"][0]["zones"]}
    assets = {f"assets/{name}" for name in ("keyboard.js", "list.js", "pack.js", "page.css", "page.js", "player.js")}
    assert set(names) == {".nojekyll", "site.json", "index.html", "tones/index.html"} | assets | loaded


def test_two_sites_of_a_pack_are_the_same_byte_for_byte(pack, tmp_path):
    for name in ("one", "two"):
        write_site([pack], tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_a_zone_says_what_the_manifest_does(pack, tmp_path):
    write_site([pack], tmp_path / "site", codec="flac")
    low, high = data_of(tmp_path / "site")["instruments"][0]["zones"]
    note = read_manifest(pack).instruments[0].notes[0]
    assert (low["root"], high["root"]) == (57, 60)
    assert low["keys"] == [45, 58] and high["keys"] == [59, 72]
    assert low["loop"] == [note.loop.frames[0] / 48000, (note.loop.frames[1] + 1) / 48000]
    decoded, rate_hz = soundfile.read(tmp_path / "site" / "tones" / low["file"])
    assert rate_hz == 48000 and np.abs(decoded - read(pack / note.file).samples[0]).max() < 2.0 / 2**15


def test_opus_keeps_every_frame_in_its_place():
    noise = np.random.RandomState(0).standard_normal((1, 48000))
    audio = Audio((0.1 * noise).astype(np.float32), 48000)
    decoded, rate_hz = soundfile.read(io.BytesIO(opus(audio, 64000)))
    assert rate_hz == 48000 and decoded.shape == (48000,)
    shifts = [np.dot(decoded[5000:40000], audio.samples[0, 5000 + d : 40000 + d]) for d in range(-50, 51)]
    assert np.argmax(shifts) == 50


def test_an_instrument_takes_3_mb_at_most_and_then_plays_every_second_key(tmp_path):
    noisy = write_pack(tmp_path / "tones", {"Tone": ("none", range(48, 72), [SINE], None)})
    noise = np.random.RandomState(0).uniform(-0.5, 0.5, (2, 144000))
    for note in read_manifest(noisy).instruments[0].notes:
        soundfile.write(noisy / note.file, noise.T, 48000)
    (page,) = write_site([noisy], tmp_path / "site", codec="flac")
    zones = data_of(tmp_path / "site")["instruments"][0]["zones"]
    assert page.sound_bytes["Tone"] <= MOST_BYTES
    assert sorted(zone["root"] for zone in zones) in [list(range(48, 72, step)) for step in (2, 3, 4, 6)]
    assert min(zone["keys"][0] for zone in zones) <= 36 and max(zone["keys"][1] for zone in zones) >= 83


def test_every_second_key_keeps_all_layers(tmp_path):
    folder = write_pack(tmp_path / "tones", {"Tone": ("wheel", [60, 61, 62], [SINE, SINE], 1.0)})
    kept = every(read_manifest(folder).instruments[0], 2)
    assert [(note.pitch, note.layer) for note in kept.notes] == [(60, 0), (60, 1), (62, 0), (62, 1)]


class _Elements(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_markup_in_a_pack_stays_text(tmp_path):
    pack = write_pack(tmp_path / "x", PLAIN, name=HOSTILE, description=HOSTILE, author=HOSTILE, license=HOSTILE)
    manifest = json.loads((pack / "pack.json").read_text())
    manifest["instruments"][0].update(name=HOSTILE.replace("/", ""), origin=HOSTILE)
    (pack / "pack.json").write_text(json.dumps(manifest))
    (pack / "recipe.yaml").write_text(f"# {HOSTILE}")
    write_site([pack], tmp_path / "site")
    for page in (tmp_path / "site").rglob("*.html"):
        parser = _Elements()
        parser.feed(page.read_text(encoding="utf-8"))
        assert not [tag for tag, attributes in parser.found if "onerror" in attributes or attributes.get("src") == "x"]
    assert data_of(tmp_path / "site", "x")["instruments"][0]["name"] == HOSTILE.replace("/", "")


def test_packs_of_any_alphabet_and_of_one_name_have_pages_of_their_own(run, pack, tmp_path):
    packs = [shutil.copytree(pack, tmp_path / name) for name in ("音", "声", "größe #1 100%", 'O\'Neill "Ü"')]
    for _ in range(2):  # the second site replaces the first
        assert run("page", *packs, "-o", tmp_path / "site").code == 0
    parser = _Elements()
    parser.feed((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    addresses = [attributes["href"] for tag, attributes in parser.found if tag == "a"]
    assert len(set(addresses)) == 4 and all(address.isascii() for address in addresses)
    for address in addresses:
        page = urllib.parse.urlsplit(address)
        assert (tmp_path / "site" / urllib.parse.unquote(page.path)).is_file() and not (page.query or page.fragment)


def test_what_changed_is_told_and_what_sounds_otherwise_plays_before_and_now(run, tmp_path):
    tones = {"Still": ("none", [60], [SINE], None), "Moved": ("none", [60], [SINE], None)}
    write_pack(tmp_path / "before" / "tones", tones)
    tones["Moved"] = ("none", [60], [{1: 0.3, 2: 0.1}], None)
    now = write_pack(tmp_path / "now" / "tones", {**tones, "New": ("none", [60], [SINE], None)})
    assert run("page", now, "-o", tmp_path / "site", "--before", tmp_path / "before").code == 0
    still, moved, new = data_of(tmp_path / "site")["instruments"]
    assert "before" not in still and "before" not in new
    assert moved["before"]["zones"][0]["file"] != moved["zones"][0]["file"]
    assert "<li>New is new (a tone)</li>" in (tmp_path / "site" / "tones" / "index.html").read_text()


def test_a_folder_of_something_else_is_left_alone(run, pack, tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "thesis.txt").write_text("years of work")
    ran = run("page", pack, "--output", tmp_path / "site")
    assert ran.code == 2 and "thesis.txt" in ran.err
    assert files(tmp_path / "site") == ["thesis.txt"]


def test_all_problems_are_named_at_once(run, pack, tmp_path):
    twin = write_pack(tmp_path / "other" / "tones", PLAIN)
    ran = run("page", pack, twin, tmp_path / "missing", "--output", tmp_path / "site")
    assert ran.code == 2 and len(ran.err.splitlines()) == 2
    assert "another pack has the page 'tones'" in ran.err and "missing: no such folder" in ran.err


def test_a_damaged_sound_is_named(run, pack, tmp_path):
    (pack / "Samples" / "Tone" / "060_0.wav").write_bytes(b"RIFF")
    ran = run("page", pack, "--output", tmp_path / "site")
    assert ran.code == 2 and "tones" in ran.err and "Traceback" not in ran.err
    assert not (tmp_path / "site").exists()
