"""A shared cache in a bucket of moto's S3 server, through whole packs: gone in the middle, slow, full, and lying."""

import threading

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

import samplepack
from samplepack.pack import build as build_module
from samplepack.rendering import store as store_module
from tests.helpers.networks import Tones
from tests.helpers.packs import contents

NOTES = 5
"""Of both recipes: two of each aren't the other's, one is in both."""


class Server:
    """An S3 server that may go wrong.

    `fault` receives the method and the path of each request for a note, and the function that answers it, whose result
    is a status and a body; it returns such a pair itself.
    """

    def __init__(self):
        self.fault = lambda method, path, answer: answer()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environment, start_response):
        if not environment["PATH_INFO"].endswith(".wave"):
            return self._moto(environment, start_response)
        told = []

        def answer():
            return 0, b"".join(self._moto(environment, lambda *head: told.append(head)))

        status, body = self.fault(environment["REQUEST_METHOD"], environment["PATH_INFO"], answer)
        if status:
            start_response(f"{status} fault", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        else:
            start_response(*told[0][:2])
        return [body]

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(monkeypatch, plain):
    made = Server()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", made.address)
    bucket = f"team-{id(made)}"  # moto keeps buckets for as long as the process runs
    boto3.client("s3").create_bucket(Bucket=bucket)
    monkeypatch.setenv("SAMPLEPACK_CACHE", f"s3://{bucket}/notes")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recipes")
    made = [folder / "one.yaml", folder / "two.yaml"]
    for path, keys in zip(made, ("[60, 61, 80]", "[62, 63, 80]"), strict=True):
        path.write_text(
            f"recipe: 1\nname: {path.stem}\npitches: {keys}\nsound: {{loop: none}}\ntimbres: {{Glass: 7}}\n"
        )
    return made


def built(recipes, folder, on_built=lambda built: None):
    """What a machine of its own builds: the packs' bytes, how many notes were rendered, what is said of the bucket."""
    tones = Tones(seconds=1.0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMPLEPACK_HOME", str(folder / "home"))
        patch.setattr(build_module, "load_model", lambda checkpoint, engine: tones)
        made = samplepack.build(recipes, folder / "output", on_built=on_built)
    return contents(folder / "output"), tones.rendered, made[-1].store_trouble


@pytest.fixture
def build(recipes, tmp_path_factory):
    return lambda *on_built: built(recipes, tmp_path_factory.mktemp("machine"), *on_built)


@pytest.fixture(scope="module")
def plain(recipes, tmp_path_factory):
    return built(recipes, tmp_path_factory.mktemp("plain"))[0]


def test_what_one_machine_rendered_no_other_does(server, build, plain):
    assert build() == (plain, NOTES, [])
    assert build() == (plain, 0, [])


def test_a_server_that_goes_away_in_the_middle_costs_only_speed(server, build, plain):
    assert build()[1] == NOTES
    packs, rendered, trouble = build(lambda first: server.stop())
    assert packs == plain and rendered == 2  # the first pack's three notes were there
    assert len(trouble) == 2 and "couldn't be read from s3://" in trouble[0] and "couldn't be written" in trouble[1]


def test_a_slow_server_is_given_up(server, build, plain, monkeypatch):
    assert build()[1] == NOTES
    within = store_module._within
    monkeypatch.setattr(store_module, "_within", lambda seconds, call: within(2.0, call))
    ended = threading.Event()

    def slow(method, path, answer):
        ended.wait(30.0)
        return answer()

    server.fault = slow
    packs, rendered, trouble = build()
    ended.set()
    assert packs == plain and rendered == NOTES
    assert "no answer within 2 s; not used for that any more" in trouble[0]


def test_a_full_bucket_is_told_and_what_it_has_is_read(server, build, plain):
    full = b"<Error><Code>QuotaExceeded</Code><Message>the bucket is full</Message></Error>"
    server.fault = lambda method, path, answer: (403, full) if method == "PUT" else answer()
    packs, rendered, trouble = build()
    assert packs == plain and rendered == NOTES
    assert len(trouble) == 1 and "couldn't be written to s3://" in trouble[0] and "the bucket is full" in trouble[0]
    server.fault = lambda method, path, answer: answer()
    assert build()[1] == NOTES
    server.fault = lambda method, path, answer: (403, full) if method == "PUT" else answer()
    assert build() == (plain, 0, [])


def test_a_lying_server_spoils_no_pack(server, build, plain):
    assert build()[1] == NOTES
    known = {}

    def lie(method, path, answer):
        status, body = answer()
        if method != "GET" or status:
            return status, body
        known[path] = body
        other = next((known[one] for one in known if one != path), body[::-1])
        return 200, [other, body[:-4], body[:40] + bytes([body[40] ^ 1]) + body[41:]][len(known) % 3]

    server.fault = lie
    packs, rendered, trouble = build()
    assert packs == plain and rendered == NOTES
    assert len(trouble) == 1 and trouble[0].startswith(f"{NOTES} notes in s3://") and "damaged" in trouble[0]
    server.fault = lambda method, path, answer: answer()
    assert build() == (plain, 0, [])  # they were written anew
