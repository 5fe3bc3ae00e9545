"""The audition page's server: who gets in, what it refuses, and what it writes."""

import json
import random
import threading
import time
from concurrent.futures import CancelledError

import numpy as np
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from samplepack.checkpoints.directions import Direction, Directions
from samplepack.checkpoints.library import resolve
from samplepack.interactive import server as serving
from samplepack.interactive.engine import NoteEngine
from samplepack.interactive.map import Place, read_map
from samplepack.interactive.server import Server
from samplepack.interactive.session import Session

RECIPE = """\
# A recipe of mine.
recipe: 1
name: Mine
pitches: [48, 60, 72]   # three keys

timbres:
  Glass: 7              # like a bell
  "Choir": {seed: 1312}
  Between: {seed: 3, toward: Glass, at: 0.5}

process:
  - Reverb: {room_size: 0.4, wet_level: 0.2}   # a hall
  - Gain
"""
HERE = "http://127.0.0.1:8000"


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(RECIPE, encoding="utf-8")
    return file


@pytest.fixture
def server(path):
    engine = NoteEngine(workers=1)
    made = Server(Session(path), engine)
    made.port = 8000
    yield made
    engine.close()


@pytest.fixture
def client(server):
    return TestClient(server.app, base_url=HERE, raise_server_exceptions=True)


@pytest.fixture
def ask(server, client):
    def post(name, **body):
        return client.post(f"/{server.token}/{name}", json=body)

    return post


@pytest.fixture
def checkpoint_directions(home):
    """Directions of the starter in the user's folder: one with a name, and five principal ones."""
    starter = resolve("starter", home)
    steps = np.random.RandomState(1).standard_normal((6, starter.latent_dim)) / 16.0
    found = tuple(
        Direction(name=name, step=tuple(step))
        for name, step in zip(["brightness", "pc1", "pc2", "pc3", "pc4", "pc5"], steps.tolist(), strict=True)
    )
    made = Directions(directions=1, checkpoint=starter.digest, found=found)
    (home / "directions").mkdir()
    (home / "directions" / f"{starter.digest}.json").write_text(made.model_dump_json(exclude_none=True))


def edit(ask, client, server, **change):
    version = client.get(f"/{server.token}/state").json()["version"]
    return ask("edit", version=version, edit=change)


def test_the_page_and_its_parts_are_served_with_headers_that_keep_others_out(server, client):
    page = client.get(f"/{server.token}/")
    assert page.status_code == 200
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert client.get(f"/{server.token}/static/player.js").status_code == 200
    assert client.get(f"/{server.token}/static/audition/app.js").status_code == 200


@pytest.mark.parametrize("name", ["../__init__.py", "%2e%2e/__init__.py", "audition/../../__init__.py", "audition/", "//etc/passwd", "x.js"])  # fmt: skip
def test_nothing_else_is_served(server, client, name):
    assert client.get(f"/{server.token}/static/{name}").status_code in (404, 307)


@pytest.mark.parametrize("token", ["", "x", "%00", "..", "státe"])
def test_a_wrong_token_gets_nothing(server, client, token):
    for path in ("/", "/state", "/static/player.js"):
        assert client.get(f"/{token}{path}").status_code == 404
    assert client.post(f"/{token}/save", json={"version": 0}).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "127.0.0.1:8001"}, {"host": ""}, {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "https://127.0.0.1:8000"}, {"origin": "http://127.0.0.1:8000.evil.example"}],
)  # fmt: skip
def test_another_host_or_origin_gets_nothing(server, client, path, headers):
    assert client.get(f"/{server.token}/state", headers=headers).status_code == 403
    sent = client.post(f"/{server.token}/save", json={"version": 0}, headers=headers)
    assert sent.status_code == 403
    assert path.read_text(encoding="utf-8") == RECIPE


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null"])
def test_events_are_for_the_own_page_alone(server, client, origin):
    headers = {"host": "127.0.0.1:8000"} | ({} if origin is None else {"origin": origin})
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(f"/{server.token}/events", headers=headers):
        pass


def test_the_own_page_hears_of_changes(server, path):
    server._begin = lambda: None  # it would load the network
    headers = {"origin": HERE, "host": "127.0.0.1:8000"}
    with (
        TestClient(server.app, base_url=HERE) as client,
        client.websocket_connect(f"/{server.token}/events", headers=headers) as events,
    ):
        events.send_text("what is sent here is dropped")
        version = client.get(f"/{server.token}/state").json()["version"]
        change = {"op": "timbre", "name": "New", "timbre": {"seed": 5}}
        client.post(f"/{server.token}/edit", json={"version": version, "edit": change})
        assert json.loads(events.receive_text()) == {"event": "recipe", "version": version}
        assert json.loads(events.receive_text()) == {"event": "map"}
        assert json.loads(events.receive_text()) == {"event": "recipe", "version": version + 1}


@pytest.fixture
def map_of(server, monkeypatch):
    """The map that the page is told of, once it is whole; no network is loaded."""
    monkeypatch.setattr(server.engine, "load", lambda checkpoint: None)
    monkeypatch.setattr(server, "_warm_up", lambda: None)

    def wait(client):
        end = time.monotonic() + 10.0
        while (found := client.get(f"/{server.token}/map").json())["done"] != found["of"]:
            assert time.monotonic() < end
            time.sleep(0.01)
        return found["number"], {place["name"]: place["x"] for place in found["places"]}

    return wait


def test_the_map_follows_the_recipe_to_another_checkpoint(server, path, map_of):
    second, first = (
        {place.name: place.x for place in read_map(resolve(name, path)).places} for name in ("starter", "starter@1")
    )
    assert first != second
    with TestClient(server.app, base_url=HERE) as client:
        assert map_of(client) == (0, second)
        path.write_text(f"{RECIPE}checkpoint: starter@1\n", encoding="utf-8")
        client.post(f"/{server.token}/reload", json={})
        assert map_of(client) == (1, first)
        version = server.session.state.version
        change = {"op": "timbre", "name": "New", "timbre": {"seed": 5}}
        assert client.post(f"/{server.token}/edit", json={"version": version, "edit": change}).status_code == 200
        assert map_of(client) == (1, first)
        client.post(f"/{server.token}/text", json={"version": version + 1, "text": RECIPE})
        assert map_of(client) == (2, second)


def test_a_map_that_is_being_made_ends_when_the_recipe_has_another_checkpoint(server, map_of, monkeypatch):
    def make(checkpoint, wave_of, on_places):
        try:
            for done in range(1, 100):
                on_places([Place(name="Old", seed=None, x=0.0, y=0.0, brightness=0.0, spectrum=())], done, 200)
                begun.set()
                assert resumed.wait(10.0)
        except CancelledError:
            ended.set()
            raise

    begun, resumed, ended = (threading.Event() for _ in range(3))
    monkeypatch.setattr(serving, "make_map", make)
    monkeypatch.setattr(serving, "read_map", lambda checkpoint: read_map(checkpoint) if begun.is_set() else None)
    with TestClient(server.app, base_url=HERE) as client:
        assert begun.wait(10.0)
        for version, checkpoint in enumerate(("starter@1", "starter")):  # and back again
            text = f"{RECIPE}checkpoint: {checkpoint}\n"
            assert client.post(f"/{server.token}/text", json={"version": version, "text": text}).status_code == 200
        resumed.set()
        assert ended.wait(10.0)
        number, places = map_of(client)
        assert number == 2 and len(places) > 200 and "Old" not in places


def test_requests_that_make_no_sense_are_refused_and_change_nothing(server, client, ask, path):
    draw = random.Random(1)
    values = [None, True, -1, 1e400, "x", "<b>", "\ud800".encode("utf-16", "surrogatepass").hex(), [], {}, [[[]]], {"seed": 2**70}, {"seed": 1, "toward": "Nobody", "at": 2}]  # fmt: skip
    before = server.session.state.text
    for i in range(400):
        name = draw.choice(["regions", "edit", "text", "save", "children", "drop"])
        keys = draw.sample(["sound", "key", "version", "edit", "text", "timbre", "distance", "op", "name"], 3)
        body = {key: draw.choice(values) for key in keys}
        content = json.dumps(body).encode()
        if i % 3 == 0:
            content = bytes(draw.randrange(256) for _ in range(draw.randrange(60)))
        if i % 10 == 1:
            content = b"[" * 100_000
        answer = client.post(f"/{server.token}/{name}", content=content, headers={"content-type": "application/json"})
        assert answer.status_code in (400, 422), (name, content[:200], answer.text)
        assert answer.json()["problems"]
    assert server.session.state.text == before
    assert path.read_text(encoding="utf-8") == RECIPE


def test_a_request_of_another_type_or_too_long_is_refused(server, client):
    address = f"/{server.token}/text"
    assert client.post(address, content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    long = b" " * (3 << 20)
    assert client.post(address, content=long, headers={"content-type": "application/json"}).status_code == 413


@pytest.mark.parametrize(
    "name",
    ["", "a/b", "../x", "<b>x</b>", "con", "x" * 200, "a\nb", "Glass: 1", "$x", "\u202eabc", "overview", "glass"],
)
def test_a_name_that_cant_be_a_file_is_refused_with_the_recipes_own_words(server, client, ask, name):
    answer = edit(ask, client, server, op="timbre", name=name, timbre={"seed": 1})
    assert answer.status_code == 422
    assert answer.json()["problems"]


def test_edits_keep_comments_and_order(server, client, ask):
    for change in (
        {"op": "timbre", "name": "Kept", "timbre": {"seed": 9, "toward": "Choir", "at": 0.25}},
        {"op": "path", "name": "Way", "path": {"through": ["Glass", "Choir"], "steps": 3}},
        {"op": "process", "process": [{"Reverb": {"room_size": 0.5, "wet_level": 0.2}}, {"Gain": {"gain_db": -3.0}}]},
        {"op": "rename", "kind": "timbres", "name": "Glass", "to": "Bell"},
        {"op": "order", "kind": "timbres", "names": ["Kept", "Choir", "Bell", "Between"]},
    ):
        answer = edit(ask, client, server, **change)
        assert answer.status_code == 200, answer.text
    assert (
        answer.json()["text"]
        == """\
# A recipe of mine.
recipe: 1
name: Mine
pitches: [48, 60, 72]   # three keys

timbres:
  Kept: {seed: 9, toward: Choir, at: 0.25}
  "Choir": {seed: 1312}
  Bell: 7               # like a bell
  Between: {seed: 3, toward: Bell, at: 0.5}

process:
  - Reverb: {room_size: 0.5, wet_level: 0.2}   # a hall
  - Gain: {gain_db: -3.0}
paths:
  Way: {through: [Bell, Choir], steps: 3}
"""
    )


def test_what_others_need_cant_be_removed(server, client, ask):
    answer = edit(ask, client, server, op="remove", kind="timbres", name="Glass")
    assert answer.status_code == 422
    assert "no timbre is called 'Glass'" in answer.json()["problems"][0]
    assert edit(ask, client, server, op="remove", kind="paths", name="Nowhere").status_code == 422


def test_an_earlier_text_undoes_edits(server, client, ask, path):
    assert edit(ask, client, server, op="remove", kind="timbres", name="Between").status_code == 200
    back = ask("text", version=server.session.state.version, text=RECIPE)
    assert back.json()["text"] == RECIPE
    assert back.json()["saved"]


def test_wrong_text_is_refused_with_its_place(server, ask):
    answer = ask("text", version=0, text=RECIPE.replace("seed: 1312", "sed: 1312"))
    assert answer.status_code == 422
    assert "mine.yaml:8:13: " in answer.json()["problems"][0]
    assert ask("text", version=0, text="a: &a [x]\nb: " + "[*a, *a]" * 3).status_code == 422


def test_children_lie_at_a_distance_along_principal_directions(server, ask, checkpoint_directions):
    parent = {"seed": 7, "move": {"pc1": 1.0}}
    children = ask("children", timbre=parent, distance=2.0, count=8, draw=3).json()["children"]
    assert len({json.dumps(child) for child in children}) == 8
    for child in children:
        assert child["seed"] == 7
        away = {**child["move"]}
        away["pc1"] = away.get("pc1", 0.0) - 1.0
        assert sum(amount**2 for amount in away.values()) ** 0.5 == pytest.approx(2.0, abs=0.03)
        assert "brightness" not in away
    again = ask("children", timbre=parent, distance=2.0, count=8, draw=3).json()["children"]
    assert again == children
    moved = server.engine.voice(server.session.state.loaded, children[0]).planned.latents[0]
    still = server.engine.voice(server.session.state.loaded, {"seed": 7}).planned.latents[0]
    assert np.abs(moved - still).max() > 0.01


def test_without_directions_the_page_is_told_how_to_find_them(server, client, ask, monkeypatch):
    for module in ("session", "server"):
        monkeypatch.setattr(f"samplepack.interactive.{module}.read_directions", lambda checkpoint: None)
    answer = ask("children", timbre={"seed": 7}, distance=1.0, count=8, draw=1)
    assert answer.status_code == 422
    assert "samplepack directions starter" in answer.json()["problems"][0]
    assert client.get(f"/{server.token}/state").json()["checkpoint"]["directions"] == []


def test_of_two_tabs_the_later_one_is_told(server, client, ask):
    first = ask("edit", version=0, edit={"op": "timbre", "name": "One", "timbre": {"seed": 1}})
    second = ask("edit", version=0, edit={"op": "timbre", "name": "Two", "timbre": {"seed": 2}})
    assert (first.status_code, second.status_code) == (200, 409)
    assert "another tab" in second.json()["problems"][0]
    assert "Two" not in client.get(f"/{server.token}/state").json()["timbres"]


def test_saving_writes_the_text_but_never_over_changes_made_elsewhere(server, client, ask, path):
    edit(ask, client, server, op="timbre", name="New", timbre={"seed": 5})
    path.write_text(RECIPE + "# changed elsewhere\n", encoding="utf-8")
    refused = ask("save", version=server.session.state.version)
    assert refused.status_code == 409
    assert "changed elsewhere" in refused.json()["problems"][0]
    assert path.read_text(encoding="utf-8") == RECIPE + "# changed elsewhere\n"
    assert ask("reload").json()["text"].endswith("# changed elsewhere\n")
    edit(ask, client, server, op="timbre", name="New", timbre={"seed": 5})
    assert ask("save", version=server.session.state.version).json()["saved"]
    assert path.read_text(encoding="utf-8") == client.get(f"/{server.token}/state").json()["text"]


def test_a_file_that_was_removed_meanwhile_isnt_written_either(server, client, ask, path):
    edit(ask, client, server, op="timbre", name="New", timbre={"seed": 5})
    path.unlink()
    assert ask("save", version=server.session.state.version).status_code == 409
    assert not path.exists()


def test_a_new_recipe_is_written_when_it_is_saved(tmp_path):
    session = Session(tmp_path / "night-bells.yaml")
    assert session.state.loaded.recipe.name == "Night Bells"
    assert not session.path.exists()
    session.save(0)
    assert session.path.read_bytes() == session.state.text
    other = Session(tmp_path / "late.yaml")
    (tmp_path / "late.yaml").write_text("mine")
    with pytest.raises(Exception, match="changed elsewhere"):
        other.save(0)


@pytest.mark.parametrize("name", ["../../x.wav", "..\\x.wav", "/etc/x.wav", "<img src=x>.wav", "x.exe", "", ".wav", "a\0b.wav"])  # fmt: skip
def test_what_isnt_a_sound_is_not_kept(server, client, path, name):
    answer = client.post(f"/{server.token}/drop", params={"name": name}, content=b"no sound at all")
    assert answer.status_code == 422
    assert not [file for file in path.parent.rglob("*") if file.is_file() and file != path]


def test_a_request_is_told_what_is_wrong_with_it(ask):
    answer = ask("regions", sound={"name": 1}, key=200, more=True)
    assert answer.status_code == 400
    assert [problem.split(":")[0] for problem in answer.json()["problems"]] == ["sound.name", "key", "more"]
