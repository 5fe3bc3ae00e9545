"""How soon the audition page sounds, and the memory of its server: `python -m benchmarks.audition`.

It starts `samplepack audition` and opens its page in Debian's Chromium through Playwright. Times are by the page's own
clock: from a key's event to the first sample that isn't silent in what the page sends to the device, and the latency of
the context beyond. Memory is that of the server's process after random play (Linux).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.table import row

if TYPE_CHECKING:
    from playwright.sync_api import Page

REPOSITORY = Path(__file__).parent.parent
CHROMIUM = "/usr/bin/chromium"

RECIPE = """\
recipe: 1
name: Benchmark
pitches: 36-84/3
timbres: {Organ: {instrument: Church Organ}, First: 7}
process: [{Reverb: {room_size: 0.35, wet_level: 0.15}}]
"""


def tap(samples: int) -> str:
    """A script for the page, run before its own.

    `window.tap` is an AnalyserNode of all that is sent to the device, `window.samples` an array for its samples, and
    `window.midi(status, key, velocity)` sends a message of a MIDI input.

    Args:
        samples: how many of the newest samples the node keeps, a power of 2 up to 32768.
    """
    return _TAP.replace("SAMPLES", str(samples))


_TAP = """
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  if (to === this.context.destination) {
    window.tap = new AnalyserNode(this.context, {fftSize: SAMPLES});
    connect.call(this, window.tap);
  }
  return connect.call(this, to, ...rest);
};
navigator.requestMIDIAccess = async () => {
  const input = {name: 'Stub'};
  window.midi = (...data) => input.onmidimessage({data});
  return {inputs: new Map([['a', input]]), onstatechange: null};
};
window.samples = new Float32Array(SAMPLES);
"""

PAGE = """
const heard = () => {
  window.tap.getFloatTimeDomainData(samples);
  return samples.findIndex((x) => Math.abs(x) > 1e-4);
};
const turn = () => new Promise((done) => setTimeout(done, 1));
window.pressed = (code, type = 'keydown') => {
  document.body.dispatchEvent(new KeyboardEvent(type, {code, bubbles: true}));
};
window.quiet = async () => {
  document.querySelector('#keyboard').dispatchEvent(new CustomEvent('alloff', {detail: {}}));
  const endMs = performance.now() + 20000;
  while (heard() >= 0 && performance.now() < endMs) await turn();
};
window.soundedMs = async (act) => {
  const {sampleRate, baseLatency} = window.tap.context;
  const begunMs = performance.now();
  act();
  let first;
  while ((first = heard()) < 0) {
    if (performance.now() - begunMs > 20000) return null;
    await turn();
  }
  return performance.now() - begunMs - 1000 * (samples.length - first) / sampleRate + 1000 * baseLatency;
};
"""

CACHED = """
async () => {
  await quiet();
  const ms = await soundedMs(() => pressed('KeyA'));
  pressed('KeyA', 'keyup');
  return ms;
}
"""

NEW = """
async (seed) => {
  await quiet();
  performance.clearResourceTimings();
  const search = document.querySelector('#search');
  search.value = `seed ${seed}`;
  const ms = await soundedMs(() => search.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'})));
  const requests = performance.getEntriesByType('resource');
  const tookMs = (part) =>
    Math.max(0, ...requests.filter(({name}) => name.includes(part)).map(({duration}) => duration));
  return [ms, tookMs('/regions'), tookMs('/sound/')];
}
"""

VOICES = """
async (seconds) => {
  const {context} = window.tap;
  for (let i = 0; i < 16; i++) midi(0x90, 48 + 2 * i, 100);
  await new Promise((done) => setTimeout(done, 3000));
  const stats = context.playbackStats;
  const before = stats && {events: stats.underrunEvents, s: stats.underrunDuration};
  const [beginS, beginMs] = [context.currentTime, performance.now()];
  let silences = 0;
  while (performance.now() - beginMs < 1000 * seconds) {
    await new Promise((done) => setTimeout(done, 50));
    window.tap.getFloatTimeDomainData(samples);
    for (let i = 0; i < samples.length; i += 128) if (samples.subarray(i, i + 128).every((x) => x === 0)) silences += 1;
  }
  const lateMs = performance.now() - beginMs - 1000 * (context.currentTime - beginS);
  for (let i = 0; i < 16; i++) midi(0x80, 48 + 2 * i, 0);
  return {lateMs, silences, underruns: stats ? stats.underrunEvents - before.events : null};
}
"""


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, str]]:
    """The server's process and address."""
    recipe = folder / "benchmark.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    environment = {**os.environ, "SAMPLEPACK_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "samplepack", "audition", str(recipe), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment) as process:
        try:
            assert process.stdout
            yield process.pid, process.stdout.readline().split()[0]
        finally:
            process.terminate()


@contextmanager
def opened(address: str) -> Iterator[Page]:
    """The page, once the network is loaded and its sound is on."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page()
        page.add_init_script(tap(4096) + PAGE)
        page.goto(address)
        page.locator("#map .place").first.wait_for(timeout=120_000)
        state = "async () => (await (await fetch('state')).json()).checkpoint.loaded"
        while not page.evaluate(state):
            page.wait_for_timeout(200)
        page.click("h1")
        page.wait_for_timeout(8000)  # until the recipe's own sounds are finished as a whole
        yield page
        browser.close()


def latencies(page: Page, times: int, pause_ms: int) -> None:
    """How soon cached notes and new timbres sound."""
    cached = [page.evaluate(CACHED) for _ in range(times + 1)][1:]
    row("cached note, key to sound", f"{np.median(cached):.1f} ms", f"worst {max(cached):.1f}; aim 30")
    seeds = random.Random(1).sample(range(8, 240), times)
    new = []
    for seed in seeds:
        new.append(page.evaluate(NEW, seed))
        page.wait_for_timeout(pause_ms)
    total, asked, fetched = np.median(np.array(new), axis=0)
    worst = max(one for one, _, _ in new)
    row("new timbre, choice to sound", f"{total:.0f} ms", f"worst {worst:.0f}; aim 250")
    row("  of that, server and file", f"{asked:.0f} and {fetched:.0f} ms")


def voices(page: Page, seconds: int) -> None:
    """Sixteen held notes of an instrument that sustains."""
    page.click("sample-keyboard #midi")
    page.locator("#shelf .play", has_text="Organ").click()
    page.wait_for_timeout(5000)
    found = page.evaluate(VOICES, seconds)
    underruns = "not told by this browser" if found["underruns"] is None else found["underruns"]
    row(
        f"16 voices for {seconds} s",
        f"{found['lateMs']:.0f} ms behind the clock",
        f"silent blocks {found['silences']}, underruns: {underruns}",
    )


def memory_mb(pid: int, name: str) -> float:
    """A line of what Linux tells of a process's memory."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith(name)]
    return int(value) / 1024


def random_play(pid: int, address: str, minutes: float) -> None:
    """Ask the server for notes of random timbres, each as soon as the one before has come."""
    host, token = address.removeprefix("http://").split("/")[:2]
    connection = http.client.HTTPConnection(host, timeout=120)
    draw, asked, new = random.Random(2), 0, 0
    timbre: dict[str, Any] = {"seed": 7}
    began, told = time.monotonic(), 0
    while time.monotonic() - began < 60.0 * minutes:
        if draw.random() < 0.25:
            timbre, new = {"seed": draw.randrange(1 << 32)}, new + 1
            if draw.random() < 0.5:
                timbre = {**timbre, "toward": "Organ", "at": round(draw.random(), 2)}
        body = json.dumps({"sound": {"timbre": timbre}, "key": draw.randrange(36, 85), "ahead": True})
        connection.request("POST", f"/{token}/regions", body, {"content-type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        for region in answer["regions"]:
            connection.request("GET", f"/{token}/{region['url']}")
            connection.getresponse().read()
        asked += 1
        if (now := int((time.monotonic() - began) / 60.0)) > told:
            told = now
            row(f"random play, {told} min", f"{memory_mb(pid, 'VmRSS'):.0f} MB", f"{asked} notes of {new} timbres")
    row(
        f"random play, {minutes:g} min",
        f"{memory_mb(pid, 'VmRSS'):.0f} MB, peak {memory_mb(pid, 'VmHWM'):.0f}",
        f"{asked} notes of {new} timbres; aim 1500",
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audition", description=__doc__)
    parser.add_argument("--times", type=int, default=50, help="how often a latency is measured")
    parser.add_argument("--pause-ms", type=int, default=1000, help="between one new timbre and the next")
    parser.add_argument("--voices-s", type=int, default=30, help="how long sixteen voices sound")
    parser.add_argument("--minutes", type=float, default=60.0, help="of random play")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch)) as (pid, address):
        with opened(address) as page:
            latencies(page, given.times, given.pause_ms)
            voices(page, given.voices_s)
        random_play(pid, address, given.minutes)


if __name__ == "__main__":
    main()
