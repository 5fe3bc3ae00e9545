"""Pure Data plays the live server's notes: every patch opens, and what is recorded has the right pitch, at the right
time, without a gap. SuperCollider's class and the note for Max state the same addresses."""

import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from samplepack.cli.live import PATCHES
from samplepack.interactive.osc import HOST, OscServer
from samplepack.sound.audio import Audio, encode, read
from samplepack.sound.partials import measure_partials
from samplepack.sound.pitch import pitch_hz
from samplepack.sound.riff import Loop, SamplerNote

RATE_HZ = 48000
DRIVER = """\
#N canvas 0 0 300 300 12;
#X obj 10 10 netreceive %d;
#X obj 10 40 list;
#X obj 10 70 t l l;
#X obj 150 100 list split 1;
#X obj 10 100 list split 1;
#X obj 10 130 list trim;
#X obj 10 160 send;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 1 3 0;
#X connect 2 0 4 0;
#X connect 3 0 6 1;
#X connect 4 1 5 0;
#X connect 5 0 6 0;
"""


class Tones:
    """Answers as the live server does, with tones of a second that loop from 0.5 s on."""

    def __init__(self, folder):
        self.folder, self.asked = folder, []

    def answer(self, verb, values):
        self.asked.append((verb, *values))
        if verb == "hallucinate":
            return [values[0], str(self.tone(72, 2.0)), 2.0]
        if verb != "render":
            return list(values[:1])
        period = RATE_HZ / pitch_hz(int(values[1]))
        # As many periods as come nearest to a whole number of frames.
        periods = min(range(60, 120), key=lambda n: abs(n * period - round(n * period)))
        first = RATE_HZ // 3
        last = first + round(periods * period) - 1
        path = self.tone(int(values[1]), 1.0, SamplerNote(int(values[1]), Loop(first, last)))
        return [str(path), int(values[1]), int(values[1]), 0.5, RATE_HZ, RATE_HZ, first, last, 1]

    def tone(self, key, seconds, note=None):
        time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
        wave = sum(np.sin(2 * np.pi * k * pitch_hz(key) * time_s) / k for k in (1, 2, 3))
        path = self.folder / f"a tone of {key}.wav"
        path.write_bytes(encode(Audio(0.3 * wave[np.newaxis].astype(np.float32), RATE_HZ), "wav", 24, 0, note))
        return path


class Pd:
    """A running Pd that takes messages `RECEIVER ARGUMENTS`."""

    def __init__(self, process, connection, folder):
        self.process, self.connection, self.folder = process, connection, folder

    def send(self, text):
        self.connection.sendall(f"{text};\n".encode())

    def record(self, seconds):
        """Wait until something is heard, and then until so much more is recorded, however slowly this machine runs."""
        wait_until(lambda: self.recorded_bytes() and any((self.folder / "recording.wav").read_bytes()[100:]))
        wanted = self.recorded_bytes() + seconds * RATE_HZ * 3
        wait_until(lambda: self.recorded_bytes() >= wanted)

    def recorded_bytes(self):
        file = self.folder / "recording.wav"
        return file.stat().st_size if file.exists() else 0

    def recorded(self):
        self.send("sp-record stop")
        size = -1
        while self.recorded_bytes() != size:
            size = self.recorded_bytes()
            time.sleep(0.5)
        return read(self.folder / "recording.wav")


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


@pytest.fixture
def patches(tmp_path, run):
    ran = run("live", "--patches", tmp_path / "my patches")
    assert ran.code == 0, ran.err
    return tmp_path / "my patches"


@contextmanager
def playing(live, patches):
    """Pd with the patch open, connected to a server that a stand-in or a network answers."""
    server = OscServer(live, 0)
    thread = threading.Thread(target=server.serve)
    thread.start()
    control = free_port()
    driver = patches.parent / "driver.pd"
    driver.write_text(DRIVER % control)
    command = ["pd", "-nogui", "-nosound", "-noprefs", "-stderr", "-r", str(RATE_HZ)]
    command += ["-open", str(patches / "samplepack.pd"), "-open", str(driver)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(300):
            time.sleep(0.1)
            try:
                connection = socket.create_connection((HOST, control))
                break
            except ConnectionRefusedError:
                assert process.poll() is None, process.stderr.read()
        connection.sendall(f"sp-port {server.port};\n".encode())
        yield Pd(process, connection, patches)
        connection.sendall(b"pd quit;\n")
        said = process.communicate(timeout=30)[1]
        assert "error" not in said and "couldn't" not in said, said
    finally:
        process.kill()
        server.close()
        thread.join()


def wait_until(true, seconds=60.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("patch", sorted(path.name for path in PATCHES.glob("*.pd")))
def test_each_patch_opens_without_an_error(patches, patch):
    command = ["pd", "-nogui", "-nosound", "-noprefs", "-stderr", "-open", str(patches / patch), "-send", "pd quit"]
    opened = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (opened.returncode, opened.stderr.strip()) == (0, "")


def onset_s(audio):
    return float(np.argmax(np.abs(audio.samples[0]) > 1e-3)) / audio.rate_hz


def test_a_held_note_has_its_pitch_and_no_gap_round_its_loop(patches):
    live = Tones(patches.parent)
    with playing(live, patches) as pd:
        pd.send("sp-timbre symbol Glass")
        pd.send("sp-record start")
        pd.send("sp-note 60 100")
        wait_until(lambda: live.asked)
        pd.record(5.0)
        pd.send("sp-note 60 0")
        pd.record(2.0)
        audio = pd.recorded()
    assert live.asked == [("render", "Glass", 60.0, 100.0)]
    start = round(onset_s(audio) * audio.rate_hz)
    held = Audio(audio.samples[:, start : start + 3 * RATE_HZ], RATE_HZ)
    assert audio.rate_hz == RATE_HZ and abs(measure_partials(held, 60)[0].cents) < 1.0
    levels = np.sqrt(np.mean(held.samples[0, : 60 * 2400].reshape(60, -1) ** 2, axis=1))
    assert np.ptp(20.0 * np.log10(levels)) < 0.5
    steps = np.abs(np.diff(held.samples[0], 2))
    assert steps.max() < 4.0 * np.percentile(steps, 99)
    assert np.max(np.abs(audio.samples[0, -RATE_HZ // 10 :])) < 1e-3


def test_a_chord_is_played_by_as_many_voices(patches):
    live = Tones(patches.parent)
    with playing(live, patches) as pd:
        pd.send("sp-record start")
        for key in (48, 55, 64):
            pd.send(f"sp-note {key} 100")
        wait_until(lambda: len(live.asked) == 3)
        pd.record(3.0)
        audio = pd.recorded()
    held = audio.samples[0, -round(1.5 * RATE_HZ) : -round(0.2 * RATE_HZ)]
    spectrum = np.abs(np.fft.rfft(held * np.hanning(len(held)), 1 << 19))
    hz = np.fft.rfftfreq(1 << 19, 1.0 / RATE_HZ)
    for key in (48, 55, 64):
        near = np.abs(hz - pitch_hz(key)) < 3.0
        assert abs(1200.0 * np.log2(hz[near][np.argmax(spectrum[near])] / pitch_hz(key))) < 2.0
        assert spectrum[near].max() > 0.5 * spectrum.max()


def test_what_the_patch_asks_for_is_in_the_servers_words(patches):
    live = Tones(patches.parent)
    with playing(live, patches) as pd:
        pd.send("sp-choose 2")
        pd.send("sp-x 0.25")
        pd.send("sp-y 0.5")
        pd.send("sp-draw bang")
        wait_until(lambda: len(live.asked) >= 5)
        time.sleep(0.5)
    assert ("slerp_z", "A", "B", "S1", 0.25) in live.asked and ("slerp_z", "C", "D", "S2", 0.25) in live.asked
    assert ("slerp_z", "S1", "S2", "S", 0.5) in live.asked
    assert ("set_z", "drawn", *[0.0] * 64) in live.asked


def test_a_hallucination_is_heard_and_recorded(patches):
    live = Tones(patches.parent)
    with playing(live, patches) as pd:
        pd.send("sp-record start")
        pd.send("sp-ask hallucinate 106 walk 8 4")
        wait_until(lambda: live.asked)
        pd.record(4.0)
        audio = pd.recorded()
    start = round(onset_s(audio) * RATE_HZ)
    held = Audio(audio.samples[:, start : start + round(1.9 * RATE_HZ)], RATE_HZ)
    assert live.asked == [("hallucinate", "walk", 8.0, 4.0)] and abs(measure_partials(held, 72)[0].cents) < 1.0


def test_the_other_programs_send_the_servers_verbs(run):
    """There is no SuperCollider and no Max here: what is checked is that they name verbs and addresses that exist."""
    from samplepack.interactive.live import Live

    known = set(
        re.findall(r'^            "(\w+)": Verb\(', Path(inspect_source(Live)).read_text("utf-8"), re.MULTILINE)
    )
    for name in ("SamplepackLive.sc", "max.md"):
        text = (PATCHES / name).read_text("utf-8")
        sent = set(re.findall(r"/samplepack/(\w+)", text)) | set(re.findall(r"ask\(\\?'?(\w+)", text))
        assert sent and sent <= known | {"answer", "error", "dropped"}, sent - known


def inspect_source(thing):
    import inspect

    return inspect.getfile(thing)


def test_pd_is_installed():
    assert shutil.which("pd"), "apt install puredata-core"
