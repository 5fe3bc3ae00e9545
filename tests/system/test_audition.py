"""The audition page in a real browser: what it plays, measured on its samples, and what it writes."""

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
from scipy import signal

from benchmarks.audition import tap
from samplepack.base.files import user_folder
from samplepack.pack.manifest import read_manifest
from samplepack.rendering.cache import Cache
from tests.helpers.browser import chromium, opened, samples_of
from tests.helpers.notes import tone, write
from tests.helpers.places import REPOSITORY

RECIPE = """\
# Sounds of mine.
recipe: 1
name: Chosen
pitches: [60, 64, 67]   # a chord

timbres:
  Organ: {instrument: Church Organ}   # it holds

process:
  - Gain: {gain_db: -3.0}
"""
PATIENCE_S = 300
SAMPLEPACK = [sys.executable, "-m", "samplepack"]
SOON_MS = 20_000

# The server at an address that stays when it is started again.
SERVER = """
import secrets
import sys
from pathlib import Path
from samplepack.interactive.engine import NoteEngine
from samplepack.interactive.server import Server
from samplepack.interactive.session import Session

secrets.token_urlsafe = lambda size: "token"
server = Server(Session(Path(sys.argv[1])), NoteEngine(workers=1))
server.run(int(sys.argv[2]), lambda: print(server.address, flush=True))
"""

# Fits from few instruments in few steps, so that a test can wait for them.
QUICK_FITS = """
from samplepack.fitting import descent
descent.STEPS = 3
known = descent._known_latents
descent._known_latents = lambda *network: dict(list(known(*network).items())[:3])
"""

HEARD = """
() => {
  window.tap.getFloatTimeDomainData(samples);
  return btoa(Array.from(new Uint8Array(samples.buffer), (byte) => String.fromCharCode(byte)).join(''));
}
"""

FREE = """
() => Array.from(document.querySelectorAll('#map .place'), (place) => {
  const {x, y, width, height} = place.getBoundingClientRect();
  const isFree = document.elementFromPoint(x + width / 2, y + height / 2) === place;
  return isFree && [place.id, place.getAttribute('aria-label')];
}).filter(Boolean)
"""

# Notes of an instrument, (key, on, off) in seconds, computed sample by sample; beside them its file and loop at key 60.
COMPUTED = """
async ({notes, lengthS, polyphony}) => {
  const {Player} = await import('./static/player.js');
  const {Sounds} = await import('./static/audition/sounds.js');
  const context = new OfflineAudioContext(1, lengthS * 48000, 48000);
  const player = new Player(context, {polyphony});
  player.output.connect(context.destination);
  const source = new Sounds(context).source({name: 'Organ'}, 0);
  for (const [key] of notes) await source.fetch(key);
  player.source = source;
  const [{buffer, loopStart, loopEnd}] = await source.regions(60, 127, 0);
  const at = (timeS, act) => context.suspend(timeS).then(() => { act(); context.resume(); });
  for (const [key, onS, offS] of notes) {
    if (onS) at(onS, () => player.noteOn(key, 127));
    else player.noteOn(key, 127);
    if (offS) at(offS, () => player.noteOff(key));
  }
  const computed = (await context.startRendering()).getChannelData(0);
  const encoded = (samples) => {
    const bytes = new Uint8Array(samples.slice().buffer);
    let text = '';
    for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(text);
  };
  return [encoded(computed), encoded(buffer.getChannelData(0)), loopStart, loopEnd];
}
"""

DROP = """
([name, encoded]) => {
  const data = new DataTransfer();
  data.items.add(new File([Uint8Array.from(atob(encoded), (one) => one.charCodeAt(0))], name));
  const tell = (type) =>
    document.body.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
  tell('dragover');
  const isShown = !document.querySelector('#overlay').hidden;
  tell('drop');
  return isShown;
}
"""

ASKED = """
async ([sound, key]) => {
  const headers = {'content-type': 'application/json'};
  const answer = await fetch('regions', {method: 'POST', headers, body: JSON.stringify({sound, key})});
  const {settled, regions} = await answer.json();
  const bytes = new Uint8Array(await (await fetch(regions[0].url)).arrayBuffer());
  return {settled, bytes: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))};
}
"""


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "chosen.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def serving(recipe):
    """The command, as a user starts it: its process and the page's address."""
    command = [*SAMPLEPACK, "audition", str(recipe), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        yield process, process.stdout.readline().split()[0]
        process.terminate()


@pytest.fixture
def page(serving):
    _, address = serving
    with chromium() as browser:
        page = browser.new_page()
        page.add_init_script(tap(32768))
        page.set_default_timeout(1000 * PATIENCE_S)
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address)
        page.locator("#map .place").first.wait_for()
        yield page
        assert errors == []


def until(page, condition):
    """Wait for a condition; Playwright's own way would need a page without a content security policy."""
    end = time.monotonic() + PATIENCE_S
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(100)


def settled(page, sound, key=60):
    """The bytes of a key's sound file, once the instrument is finished as a whole."""
    while not (answer := page.evaluate(ASKED, [sound, key]))["settled"]:
        page.wait_for_timeout(500)
    return base64.b64decode(answer["bytes"])


def off_cents(samples, key, rate_hz=48000):
    expected_hz = 440.0 * 2.0 ** ((key - 69) / 12.0)
    size = 1 << 19
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), size))
    first = round(expected_hz * 0.985 * size / rate_hz)
    top = first + int(np.argmax(spectrum[first : round(expected_hz * 1.015 * size / rate_hz)]))
    return 1200.0 * np.log2(top * rate_hz / size / expected_hz)


def free_places(page):
    """Places of the map that no other covers: selector and name, instruments first."""
    found = page.evaluate(FREE)
    return [(f"#{place}", name.partition(", brightness")[0]) for place, name in found]


def heard(page):
    return samples_of(page.evaluate(HEARD))


def test_sounds_are_found_played_kept_and_saved_and_a_build_writes_what_was_heard(page, recipe, tmp_path):
    assert page.locator("#switch-on").is_visible()
    place, sound = free_places(page)[0]
    page.hover(place)
    page.click("h1")  # the first gesture switches the sound on
    assert not page.locator("#switch-on").is_visible()
    settled(page, {"name": "Organ"})

    # A chord holds: in tune, at one level, without a click.
    for key in "adg":
        page.keyboard.down(key)
    until(page, "performance.getEntriesByName('sound').length >= 3")
    page.wait_for_timeout(1500)
    levels = []
    for _ in range(10):
        samples = heard(page)
        levels.append(20.0 * np.log10(np.sqrt(np.mean(samples**2))))
        assert np.abs(samples).max() < 1.0
        page.wait_for_timeout(1000)
    assert max(levels) - min(levels) < 3.0
    for key in (60, 64, 67):
        assert abs(off_cents(samples, key)) < 3.0
    for key in "adg":
        page.keyboard.up(key)
    until(page, "() => { const s = new Float32Array(1024); window.tap.getFloatTimeDomainData(s); return s.every((x) => Math.abs(x) < 1e-3); }")  # fmt: skip

    # The map plays what the pointer rests on.
    page.hover(place)
    until(page, "() => { window.tap.getFloatTimeDomainData(samples); return samples.some((x) => Math.abs(x) > 1e-3); }")  # fmt: skip
    page.click(place)
    until(page, f"document.querySelector('#now').textContent === {json.dumps(sound)}")
    page.fill("#keep-name", "Flute <b>")
    page.click("#keep button")
    until(page, "document.querySelector('#shelf-said').textContent.includes('file name')")
    page.fill("#keep-name", "Pipe")
    page.click("#keep button")
    until(page, "document.querySelectorAll('#shelf li').length === 2")

    # Children, a direction, undo and redo.
    page.click("#tab-around")
    page.click("#grow")
    until(page, "document.querySelectorAll('.child .go').length === 8")
    page.click(".child .go >> nth=2")
    until(page, "document.querySelector('#now').textContent.includes('pc')")
    child = page.text_content("#now")
    page.fill("[data-direction=brightness]", "1.5")
    until(page, "document.querySelector('#now').textContent.includes('brightness +1.5')")
    page.click("#undo")
    until(page, f"document.querySelector('#now').textContent === {json.dumps(child)}")
    page.click("#redo")
    until(page, "document.querySelector('#now').textContent.includes('brightness +1.5')")
    page.fill("#keep-name", "Child")
    page.click("#keep button")
    until(page, "document.querySelectorAll('#shelf li').length === 3")

    # An effect, a path, saving.
    page.click("#tab-effects")
    page.fill('[data-parameter="0.gain_db"]', "0.4")
    until(page, "!document.querySelector('#text').value.includes('gain_db: -3.0')")
    for i in range(3):
        page.check(f"#shelf li:nth-child({i + 1}) input[type=checkbox]")
    page.fill("#path-name", "Way")
    page.click("#make-path button")
    until(page, "document.querySelector('#text').value.includes('Way')")
    page.click("[aria-label='Way 2']")  # a point of the path plays by itself
    until(page, "document.querySelector('#now').textContent === 'Way 2 (point of a path)'")
    page.click("#save")
    until(page, "document.querySelector('#save').textContent === 'Saved'")
    text = recipe.read_text(encoding="utf-8")
    assert text == page.input_value("#text")
    assert text.startswith("# Sounds of mine.\nrecipe: 1\n")
    assert "  Organ: {instrument: Church Organ}   # it holds\n" in text
    assert "  Way: {through: [Organ, Pipe, Child], steps: 5}\n" in text

    # What is built renders the points of the path alone, and has the bytes that were heard.
    names = ("Organ", "Pipe", "Child", "Way 2")
    sounds = {name: hashlib.sha256(settled(page, {"name": name})).hexdigest() for name in names}
    before = Cache(user_folder("notes")).info().notes
    # In a process of its own: another test of these forks, which a network's threads wouldn't survive.
    subprocess.run(
        [*SAMPLEPACK, "build", str(recipe), "--output", str(tmp_path), "--quiet"], cwd=REPOSITORY, check=True
    )
    assert (
        Cache(user_folder("notes")).info().notes - before <= 2 * 3
    )  # five points, of which two are timbres and one was heard
    for instrument in read_manifest(tmp_path / "chosen").instruments:
        if instrument.name in names:
            (note,) = [note for note in instrument.notes if note.pitch == 60]
            assert note.sha256 == sounds[instrument.name]


def test_a_midi_keyboard_plays(page):
    page.click("h1")
    page.click("sample-keyboard #midi")
    until(
        page, "document.querySelector('sample-keyboard').shadowRoot.querySelector('#said').textContent.includes('Stub')"
    )
    page.evaluate("midi(0x90, 60, 100)")
    until(page, "performance.getEntriesByName('sound').length === 1")
    page.evaluate("midi(0x80, 60, 0)")


@contextmanager
def killed(recipe, port=0, code=SERVER, **environment):
    """A server that is killed at the end of the block: its address."""
    command = [sys.executable, "-c", code, str(recipe), str(port)]
    environment = {**os.environ, **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def test_the_map_follows_the_recipe_to_another_checkpoint(recipe):
    def xs():
        places = "document.querySelectorAll('#map .place')"
        return page.evaluate(f"Array.from({places}, (place) => place.getAttribute('cx') ?? place.getAttribute('x'))")

    with killed(recipe) as address, chromium() as browser, opened(browser, address) as page:
        page.locator("#map .place").first.wait_for()
        first = xs()
        page.hover(free_places(page)[0][0])
        for text in (f"{RECIPE}checkpoint: starter@1\n", RECIPE):
            before = xs()
            recipe.write_text(text, encoding="utf-8")
            page.click("#reload")
            until(page, f"document.querySelector('#place-0')?.getAttribute('x') !== {json.dumps(before[0])}")
            page.locator("#map .place").first.wait_for()
            assert page.locator("#map .place").count() == len(xs()) == len(first) and xs() != before
        assert xs() == first


def test_tabs_follow_each_other_and_a_lost_server_is_said_and_found_again(recipe):
    from playwright.sync_api import expect

    expect.set_options(timeout=SOON_MS)
    with chromium() as browser:
        context = browser.new_context()
        context.set_default_timeout(SOON_MS)
        tabs = [context.new_page(), context.new_page()]
        errors = []
        for tab in tabs:
            tab.on("pageerror", lambda error: errors.append(str(error)))
        first, second = tabs
        with killed(recipe) as address:
            for tab in tabs:
                tab.goto(address)
                tab.locator("#map .place").first.wait_for()
            place, sound = free_places(second)[-1]
            second.click(place)  # the first gesture on a page is a choice already
            expect(second.locator("#now")).to_have_text(sound)
            second.fill("#keep-name", "Here")
            second.click("#keep button")
            kept = re.compile(f"Here: {sound.removeprefix('seed ')}\n")
            for tab in tabs:
                expect(tab.locator("#text")).to_have_value(kept)
        for tab in tabs:
            expect(tab.locator("#banner")).to_contain_text("doesn’t answer")
            expect(tab.locator("#text")).to_have_value(kept)
        with killed(recipe, address.split(":")[2].split("/")[0]):
            for tab in tabs:
                expect(tab.locator("#banner")).to_be_hidden()
            first.fill("#text", RECIPE.replace("Organ:", "Reed:"))
            first.click("#apply")
            expect(second.locator("#text")).to_have_value(re.compile("Reed:"))
        assert errors == []


@pytest.fixture(scope="module")
def first_starter(tmp_path_factory):
    """A page on the first starter, whose notes have nothing above 8 kHz, and its recipe's folder."""
    folder = tmp_path_factory.mktemp("first")
    recipe = folder / "chosen.yaml"
    recipe.write_text(RECIPE.replace("name:", "checkpoint: starter@1\nname:"), encoding="utf-8")
    home = str(tmp_path_factory.mktemp("home"))
    with (
        killed(recipe, code=QUICK_FITS + SERVER, SAMPLEPACK_HOME=home) as address,
        chromium() as browser,
        opened(browser, address) as page,
    ):
        page.set_default_timeout(SOON_MS)
        page.locator("#map .place").first.wait_for()
        yield page, folder


def computed(page, notes, length_s, polyphony=32):
    asked = {"notes": notes, "lengthS": length_s, "polyphony": polyphony}
    samples, file, *loop = page.evaluate(COMPUTED, asked)
    return samples_of(samples), samples_of(file), loop


def clicks_db(samples):
    """Levels above 9 kHz in each 2 ms, relative to the loudest sample."""
    high = signal.sosfilt(signal.butter(8, 9000, "highpass", fs=48000, output="sos"), samples.astype(np.float64))
    windows = high[: len(high) // 96 * 96].reshape(-1, 96)
    return 10.0 * np.log10(np.mean(windows**2, axis=1) / np.abs(samples).max() ** 2 + 1e-20)


def test_nothing_clicks(first_starter):
    page, _ = first_starter
    settled(page, {"name": "Organ"})
    held, file, (start_s, end_s) = computed(page, [(60, 0, 6.0)], 8)
    # The note begins as its file does, which begins in silence.
    assert np.abs(held[:24000] - file[:24000]).max() < 1e-4 * np.abs(file).max()
    assert np.abs(file[:5]).max() < 0.01 * np.abs(file).max()
    # What a click would add above the sound's band: nothing at the loop's seams, at key-up, nor when a note is stolen.
    db = clicks_db(held)
    usual_db = db[100 : int(start_s * 500)].max()
    assert usual_db < -60.0
    assert end_s + 3 * (end_s - start_s) > 6.0 > end_s + (end_s - start_s)  # two seams or three, then key-up
    assert db[int(start_s * 500) :].max() < usual_db + 3.0
    chord = [(60, 0, None), (64, 0.1, None), (67, 0.2, None)]
    stolen, _, _ = computed(page, [*chord, (62, 3.0, None)], 5, polyphony=3)
    alone, _, _ = computed(page, [(62, 3.0, None)], 5)
    left_db = clicks_db(stolen - alone)  # the chord, of which a note fades when the new one takes its voice
    assert left_db[1490:1600].max() < left_db[1000:1490].max() + 3.0
    cut = held.copy()
    cut[150_000 + np.argmax(held[150_000:150_480]) :] = 0.0
    assert clicks_db(cut).max() > usual_db + 20.0  # such a click would be seen


def test_a_dropped_sound_is_kept_fitted_and_written(first_starter, tmp_path):
    from playwright.sync_api import expect

    page, folder = first_starter
    odd = "<img src=x onerror=alert(1)> bell.wav"
    sound = write(tmp_path / "bell.wav", tone(60, 2.0, 48000), 48000).read_bytes()
    assert page.evaluate(DROP, [odd, base64.b64encode(sound).decode()])
    dropped = page.locator("#dropped")
    expect(dropped.locator("h2")).to_have_text(odd)
    expect(dropped.locator(".near").first.locator("button")).to_have_count(8, timeout=SOON_MS)
    expect(dropped).to_contain_text("Fitted:", timeout=1000 * PATIENCE_S)
    dropped.locator("button", has_text="Play it").click()
    dropped.locator("button", has_text="Keep it as").click()
    expect(page.locator("#text")).to_have_value(re.compile("like: sounds/"), timeout=SOON_MS)
    assert dropped.locator("img").count() == 0
    page.click("#save")
    expect(page.locator("#save")).to_have_text("Saved", timeout=SOON_MS)
    (kept,) = (folder / "sounds").iterdir()
    assert kept.read_bytes() == sound
    assert f"sounds/{kept.name}" in (folder / "chosen.yaml").read_text(encoding="utf-8")
    subprocess.run([*SAMPLEPACK, "check", str(folder / "chosen.yaml")], cwd=REPOSITORY, check=True)
