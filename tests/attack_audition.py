"""Malformed requests and messages to the audition page's server: each is refused with a reason, and nothing comes of it.

    python -m tests.attack_audition --rounds 10000 --seed 1

`tests/interactive/test_attacked.py` runs some of them.
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
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.attack import mutated_bytes
from tests.helpers.places import REPOSITORY

RECIPE = """\
recipe: 1
name: Mine
checkpoint: starter@1
pitches: [48, 60, 72]
timbres:
  Glass: 7              # like a bell
  Choir: {seed: 1312}
process: [{Reverb: {room_size: 0.4}}]
"""

SERVER = """
import sys
from pathlib import Path
from samplepack.interactive import engine
from samplepack.interactive.server import Server
from samplepack.interactive.session import Session
from tests.helpers.networks import Tones

engine.load_model = lambda checkpoint, engine: Tones()
server = Server(Session(Path(sys.argv[1])), engine.NoteEngine(workers=1))
server._begin = lambda: None  # no map
server.run(0, lambda: print(server.address, flush=True))
"""

WHOLE: dict[str, dict[str, Any]] = {
    "regions": {"sound": {"timbre": {"seed": 7, "toward": "Choir", "at": 0.5}}, "key": 60, "ahead": False},
    "edit": {"version": 0, "edit": {"op": "timbre", "name": "New", "timbre": {"seed": 5}}},
    "text": {"version": 0, "text": RECIPE},
    "save": {"version": 0},
    "reload": {},
    "children": {"timbre": {"seed": 7}, "distance": 1.0, "count": 8, "draw": 3},
}
"""Sound requests."""

WRONG_TIMBRES: list[Any] = [
    {}, {"seed": -1}, {"seed": 2**70}, {"seed": "7"}, {"seed": 1, "toward": "Nobody", "at": 0.5}, {"seed": 1, "at": 0.5},
    {"seed": 1, "toward": "Glass", "at": 1e300}, {"instrument": "<img src=x onerror=alert(1)>"}, {"instrument": "../x"},
    {"latent": "/etc/passwd"}, {"latent": "../../x.npy"}, {"like": "/etc/passwd"}, {"like": ["x.wav"] * 99},
    {"seed": 1, "move": {"nowhere": 1.0}}, {"seed": 1, "move": {"brightness": "much"}}, {"seed": 1, "<b>": 2},
    {"seed": 1, "instrument": "Flute"}, {"seed": [[[[1]]]]}, {"seed": None}, {"seed": True},
]  # fmt: skip

WRONG_NAMES = ["", " ", "a/b", "..", "../x", "<b>x</b>", "con", "x" * 300, "a\nb", "a\0b", "$x", "\u202eabc", "overview", "glass"]  # fmt: skip

WRONG_EDITS: list[Any] = [
    *({"op": "timbre", "name": "New", "timbre": timbre} for timbre in WRONG_TIMBRES),
    *({"op": "timbre", "name": name, "timbre": {"seed": 1}} for name in WRONG_NAMES),
    *({"op": "rename", "kind": "timbres", "name": "Glass", "to": name} for name in [*WRONG_NAMES[:-1], "Choir"]),
    {"op": "rename", "kind": "timbres", "name": "Nobody", "to": "Body"}, {"op": "remove", "kind": "timbres", "name": "No"},
    {"op": "remove", "kind": "paths", "name": "Glass"}, {"op": "remove", "kind": "recipe", "name": "Glass"},
    {"op": "order", "kind": "timbres", "names": ["Glass"]}, {"op": "order", "kind": "timbres", "names": ["Glass"] * 2},
    {"op": "path", "name": "Way", "path": {"through": ["Glass"], "steps": 3}}, {"op": "path", "name": "Way", "path": {}},
    {"op": "path", "name": "Way", "path": {"through": ["Glass", "Nobody"], "steps": 3}},
    {"op": "path", "name": "Way", "path": {"through": ["Glass", "Choir"], "steps": 10**9}},
    {"op": "process", "process": [{"Nothing": {}}]}, {"op": "process", "process": [{"Reverb": {"room_size": 1e9}}]},
    {"op": "process", "process": [{"Convolution": {"impulse_response_filename": "/etc/passwd"}}]},
    {"op": "process", "process": [{"VST3Plugin": {"path": "/tmp/x.vst3"}}]}, {"op": "process", "process": [{}]},
    {"op": "process", "process": [{"Reverb": {}, "Gain": {}}]}, {"op": "process", "process": [{"Gain": {}}] * 65},
    {"op": "exec", "name": "Glass"}, {"op": "timbre"}, {}, None, [], "timbre", {"op": "timbre", "name": "A", "timbre": 1.5},
]  # fmt: skip

WRONG_TEXTS = [
    "", "a", "[]", "recipe: 1", "recipe: 2\nname: X\n", RECIPE + "x: 1\n", RECIPE.replace("7 ", "-7 "), RECIPE.replace("48", "480"),
    RECIPE.replace("Reverb", "Rverb"), RECIPE.replace("starter@1", "../../etc"), RECIPE.replace("name: Mine", "name: ../x"),
    RECIPE.replace("7 ", "!!python/object/apply:os.system ['touch x'] "), "a: &a [1]\nb: " + "*a," * 9, "\0", "\t", "{" * 5000,
    "a: &a [x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1 if i else ''}, *a{i - 1 if i else ''}]\n" for i in range(30)), "x" * (1 << 20) + "x",
]  # fmt: skip

WRONG_VALUES: list[Any] = [None, True, -1, 0.5, 2**70, "0", "<b>", [], {}, [[[]]], {"a": 1}]

JSON = {"content-type": "application/json"}


@dataclass
class Attacked:
    """A server in a process of its own, and what lies around it."""

    address: str
    pid: int
    folder: Path
    ends: Counter[str] = field(default_factory=Counter)
    """How many requests had which end."""

    faults: list[str] = field(default_factory=list)
    """What didn't end as it should."""

    def __post_init__(self) -> None:
        self.host, self.token = self.address.removeprefix("http://").split("/")[:2]
        self._connection = http.client.HTTPConnection(self.host, timeout=20)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of an answer."""
        try:
            return self._ask(method, path, body, headers or {})
        except (http.client.RemoteDisconnected, ConnectionError):  # the server closes what it has refused to read
            self._connection.close()
            return self._ask(method, path, body, headers or {})

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def memory_mb(self) -> float:
        """What the server's process holds now."""
        (line,) = [one for one in Path(f"/proc/{self.pid}/status").read_text().splitlines() if one.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def files(self) -> dict[str, bytes]:
        """What lies around it."""
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }

    def state(self) -> Any:
        """The recipe as the server has it."""
        return json.loads(self.ask("GET", f"/{self.token}/state")[1])


@contextmanager
def attacked(folder: Path) -> Iterator[Attacked]:
    """A server with a recipe in a folder, on a network that only plays tones."""
    (folder / "home").mkdir()
    recipe = folder / "mine.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    environment = {**os.environ, "SAMPLEPACK_HOME": str(folder / "home"), "TMPDIR": str(folder.parent)}
    command = [sys.executable, "-c", SERVER, str(recipe)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY, env=environment) as process:
        try:
            assert process.stdout
            yield Attacked(process.stdout.readline().strip(), process.pid, folder)
            assert process.poll() is None, "the server has ended"
        finally:
            process.kill()


def spoilt(draw: random.Random) -> tuple[str, bytes]:
    """The name of a request and a body in which something is wrong."""
    name = draw.choice(list(WHOLE))
    body: dict[str, Any] = json.loads(json.dumps(WHOLE[name]))
    match draw.randrange(7):
        case 0:
            text = json.dumps(body).encode()
            return name, text[: draw.randrange(len(text))]
        case 1:
            return name, draw.choice(
                [b"[" * 100_000, b"{}" * 9, b"\xff" * 9, b"NaN", b"1e999", b'"\\ud800"', draw.randbytes(50)]
            )
        case 2:
            body[draw.choice(["", "x", "__proto__", "op", "<b>", "\u202e"])] = draw.choice(WRONG_VALUES)
        case 3 if name in ("edit", "text", "save"):
            body["version"] = draw.choice([*WRONG_VALUES, 1, 2**31])
        case 4 if name in ("edit", "text", "save", "children"):
            del body[draw.choice([key for key in body if key != "count"])]
        case _ if name == "edit":
            body["edit"] = draw.choice(WRONG_EDITS)
        case _ if name == "text":
            body["text"] = draw.choice([*WRONG_TEXTS, *WRONG_VALUES[:5]])
        case _ if name == "regions":
            wrong = (
                {"timbre": draw.choice(WRONG_TIMBRES)},
                {"name": "Nobody"},
                {"name": "Glass", "timbre": {"seed": 1}},
                {},
            )
            body.update(
                draw.choice(
                    [{"sound": draw.choice([*wrong, *WRONG_VALUES])}, {"key": draw.choice([128, *WRONG_VALUES])}]
                )
            )
        case _ if name == "children":
            wrong_numbers = [
                {"distance": 0},
                {"distance": 1e9},
                {"count": 0},
                {"count": 10**6},
                {"draw": -1},
                {"draw": 2**40},
            ]
            body.update(draw.choice([{"timbre": draw.choice(WRONG_TIMBRES)}, *wrong_numbers]))
        case _:
            return name, mutated_bytes(json.dumps(body).encode(), draw) + b"\0"
    return name, json.dumps(body).encode()


def refused(target: Attacked, draw: random.Random) -> None:
    """A request with something wrong in its body: the answer says what."""
    name, body = spoilt(draw)
    status, answer = target.ask("POST", f"/{target.token}/{name}", body, JSON)
    target.ends[f"HTTP {status}"] += 1
    told = json.loads(answer).get("problems") if status in (400, 409, 413, 422) else None
    if not told or not all(isinstance(one, str) and one for one in told):
        target.faults.append(f"{name} {body[:300]!r}: {status} {answer[:300]!r}")


def astray(target: Attacked, draw: random.Random) -> None:
    """A request from elsewhere, to elsewhere, of another kind, or no request at all."""
    own = f"/{target.token}/"
    body = json.dumps(WHOLE["save"]).encode()
    method, path, headers, allowed = draw.choice([
        ("POST", own + "save", {**JSON, "origin": draw.choice(["null", "http://evil.example", "http://127.0.0.1:1"])}, (403,)),
        ("POST", own + "save", {**JSON, "host": draw.choice(["evil.example", "", "127.0.0.1", "[::1]"])}, (400, 403)),
        ("POST", own + "save", {"content-type": draw.choice(["text/plain", "", "multipart/form-data", "a" * 999])}, (415,)),
        ("POST", "/" + draw.choice(["", "x", target.token[:-1], target.token + "x", "%00", ".."]) + "/save", JSON, (404,)),
        (draw.choice(["GET", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"]), own + "save", JSON, (405, 404)),
        ("GET", own + "static/" + draw.choice(["../server.py", "%2e%2e/x", "audition/", "/etc/passwd", "%00", "a" * 5000]), {}, (404,)),
        ("GET", own + "sound/" + draw.choice(["x/0", "x/-1", "../0", "%2e%2e/9999999999999999999999", "x/1e9"]), {}, (404,)),
        ("POST", own + "drop?name=" + draw.choice(["x.wav", "../x.wav", "%00.wav", "%3Cb%3E.wav", "x.exe", ".wav", "%ff.flac", ""]), {}, (422,)),
    ])  # fmt: skip
    if path.startswith(own + "drop"):
        body = draw.choice([b"", b"RIFF", draw.randbytes(99), b"RIFF\xff\xff\xff\xffWAVEfmt " + draw.randbytes(40)])
    status, answer = target.ask(method, path, body, headers)
    target.ends[f"HTTP {status}"] += 1
    if status not in allowed or not answer:
        target.faults.append(f"{method} {path} {headers}: {status} {answer[:300]!r}")


def rambled(target: Attacked, draw: random.Random, messages: int) -> None:
    """Messages over one web socket, which expects none."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    address = f"ws://{target.host}/{target.token}/events"
    target.ends["messages of web sockets"] += messages
    with connect(address, origin=f"http://{target.host}", close_timeout=1) as events, suppress(ConnectionClosed):  # type: ignore[arg-type]
        for _ in range(messages):
            body = spoilt(draw)[1][: 1 << 15]
            kinds: list[Any] = [body, body.decode("latin-1"), b"", "", draw.randbytes(2000), "x" * (1 << 15)]
            events.send(draw.choice(kinds))
        if not events.ping().wait(10):
            target.faults.append("a web socket doesn't answer any more")
        if draw.random() < 0.2:
            events.send("x" * (1 << 17))  # longer than it takes
            events.recv(10)
            events.recv(10)
            events.recv(10)


def attack(target: Attacked, rounds: range, seed: int) -> None:
    """Send messages, each by random numbers of its own."""
    for number in rounds:
        draw = random.Random(f"{seed} {number}")
        if number % 50 == 49:
            rambled(target, draw, 25)
        elif number % 2:
            refused(target, draw)
        else:
            astray(target, draw)


def main() -> None:
    """Attack, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top, "attacked")
        folder.mkdir()
        with attacked(folder) as target:
            before = target.files()
            for first in range(0, given.rounds, 1000):
                attack(target, range(first, min(first + 1000, given.rounds)), given.seed)
                print(f"{first + 1000} rounds: {target.memory_mb():.1f} MB, {dict(target.ends)}", flush=True)
            state = target.state()
            print("\n".join(target.faults))
            print(
                f"{len(target.faults)} faults; version {state['version']}; files are the same: {target.files() == before}"
            )


if __name__ == "__main__":
    main()
