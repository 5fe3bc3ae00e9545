"""Downloads from a server that breaks off, lies, stalls and answers nonsense."""

import functools
import hashlib
import io
import re
import shutil
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.progress import silent
from samplepack.checkpoints.download import Patience, Unreachable, download
from tests.helpers.places import FIXTURES

CONTENT = np.random.default_rng(0).bytes(300_000)
QUICK = Patience(stall_s=0.5, attempts=2, pause_s=0.01)


class Server:
    """Serves one file; `misbehave(handler, start)` may do something else, and says whether it did."""

    def __init__(self):
        self.content, self.tag, self.misbehave = CONTENT, '"one"', lambda handler, start: False
        self.asked = []

    def answer(self, handler):
        span = handler.headers.get("Range")
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span else 0
        if handler.headers.get("If-Range") not in (None, self.tag):
            start = 0
        self.asked.append(start)
        if self.misbehave(handler, start):
            return
        self.begin(handler, start, len(self.content) - start)
        handler.wfile.write(self.content[start:])

    def begin(self, handler, start, length, tag=None):
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", tag or self.tag)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        if length is not None:
            handler.send_header("Content-Length", str(length))
        handler.end_headers()


@pytest.fixture
def server():
    serves = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            serves.answer(self)

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=functools.partial(listening.serve_forever, poll_interval=0.01))
        thread.start()
        serves.url = f"http://127.0.0.1:{listening.server_port}/file.zip"
        yield serves
        listening.shutdown()
        thread.join()


def fetch(server, folder, **options):
    heard = []
    digest = download(
        server.url, folder / "file.zip", lambda name, n, of: heard.append((n, of)), patience=QUICK, **options
    )
    assert digest == hashlib.sha256(server.content).hexdigest()
    assert (folder / "file.zip").read_bytes() == server.content
    assert [path.name for path in folder.iterdir()] == ["file.zip"]
    return heard


def test_a_file_comes_whole_and_its_progress_is_heard(server, tmp_path):
    heard = fetch(server, tmp_path, sha256=hashlib.sha256(CONTENT).hexdigest())
    assert heard[-1] == (300_000, 300_000) and len(heard) > 1


def test_a_download_that_breaks_off_goes_on_where_it_was(server, tmp_path):
    def break_off(handler, start):
        server.begin(handler, start, len(CONTENT) - start)
        handler.wfile.write(CONTENT[start : start + 70_000])
        return True

    server.misbehave = break_off
    fetch(server, tmp_path)
    first, second, third = server.asked[:3]
    assert first == 0 and 50_000 < second <= 70_000 and 100_000 < third <= 140_000


def test_one_that_was_given_up_goes_on_in_the_next_run(server, tmp_path):
    def only_a_little(handler, start):
        server.begin(handler, start, len(CONTENT) - start)
        handler.wfile.write(CONTENT[start : max(start, 50_000)])
        return True

    server.misbehave = only_a_little
    with pytest.raises(SamplepackError, match="run it again to go on"):
        fetch(server, tmp_path)
    server.asked.clear()
    server.misbehave = lambda handler, start: False
    fetch(server, tmp_path)
    (start,) = server.asked
    assert 30_000 < start <= 50_000


def test_when_the_file_has_changed_meanwhile_it_begins_anew(server, tmp_path):
    def break_off_and_change(handler, start):
        server.begin(handler, start, len(server.content) - start)
        handler.wfile.write(server.content[start : start + 70_000])
        server.content, server.tag = CONTENT[::-1], '"two"'
        server.misbehave = lambda handler, start: False
        return True

    server.misbehave = break_off_and_change
    fetch(server, tmp_path)
    assert server.asked == [0, 0]


def test_a_server_that_knows_no_ranges_sends_it_again(server, tmp_path):
    def whole_the_second_time(handler, start):
        n = len(CONTENT)
        handler.send_response(200)
        handler.send_header("Content-Length", str(n))
        handler.end_headers()
        handler.wfile.write(CONTENT[: n if len(server.asked) > 1 else 70_000])
        return True

    server.misbehave = whole_the_second_time
    fetch(server, tmp_path)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_server_in_trouble_is_asked_again(server, tmp_path, status):
    def trouble(handler, start):
        if len(server.asked) < 2:
            handler.send_error(status)
            return True
        return False

    server.misbehave = trouble
    fetch(server, tmp_path)
    server.asked.clear()
    server.misbehave = lambda handler, start: handler.send_error(status) or True
    (tmp_path / "file.zip").unlink()
    with pytest.raises(SamplepackError, match=f"answers {status}"):
        fetch(server, tmp_path)
    assert list(tmp_path.glob("*.zip")) == []


@pytest.mark.parametrize("status", [404, 403, 410])
def test_a_file_that_is_not_there_is_told_at_once(server, tmp_path, status):
    server.misbehave = lambda handler, start: handler.send_error(status) or True
    with pytest.raises(SamplepackError, match=f"answers {status}"):
        fetch(server, tmp_path)
    assert server.asked == [0] and list(tmp_path.iterdir()) == []


def test_a_server_that_stalls_is_not_waited_for_without_end(server, tmp_path):
    done = threading.Event()

    def stall(handler, start):
        server.begin(handler, start, len(CONTENT))
        handler.wfile.write(CONTENT[:1000])
        done.wait(10)
        return True

    server.misbehave = stall
    began = time.monotonic()
    with pytest.raises(SamplepackError, match="silent"):
        fetch(server, tmp_path)
    done.set()
    assert time.monotonic() - began < 8


def test_a_server_that_promises_more_than_it_has(server, tmp_path):
    def promise(handler, start):
        server.begin(handler, start, len(CONTENT) - start + 1000)
        handler.wfile.write(CONTENT[start:])
        return True

    server.misbehave = promise
    with pytest.raises(SamplepackError, match="broke off"):
        fetch(server, tmp_path)
    assert not (tmp_path / "file.zip").exists()


def test_a_server_that_sends_another_part_than_was_asked_for(server, tmp_path):
    def another(handler, start):
        if start:
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}")
            handler.end_headers()
            handler.wfile.write(CONTENT[5:])
        else:
            server.begin(handler, 0, len(CONTENT))
            handler.wfile.write(CONTENT[: 70_000 if len(server.asked) == 1 else None])
        return True

    server.misbehave = another
    fetch(server, tmp_path)


def test_a_file_that_would_never_end_is_not_downloaded(server, tmp_path):
    server.misbehave = lambda handler, start: server.begin(handler, start, 5 << 30) or True
    with pytest.raises(SamplepackError, match="larger than 2 GiB"):
        fetch(server, tmp_path)


def test_redirects_are_followed_but_not_in_circles(server, tmp_path):
    def redirect(handler, start):
        if len(server.asked) > 2:
            return False
        handler.send_response(302)
        handler.send_header("Location", f"/elsewhere/{len(server.asked)}")
        handler.end_headers()
        return True

    server.misbehave = redirect
    fetch(server, tmp_path)
    server.misbehave = lambda handler, start: (
        handler.send_response(302),
        handler.send_header("Location", "/"),
        handler.end_headers(),
    )
    with pytest.raises(SamplepackError, match="without end"):
        fetch(server, tmp_path)


def test_no_redirect_leads_away_from_https(tmp_path, monkeypatch):
    redirect = requests.Response()
    redirect.raw = io.BytesIO()
    redirect.status_code, redirect.headers["Location"] = 302, "http://elsewhere.example/file.zip"
    redirect._next = requests.Request("GET", "http://elsewhere.example/file.zip").prepare()
    monkeypatch.setattr(requests.Session, "get", lambda session, address, **options: redirect)
    with pytest.raises(SamplepackError, match="leads away from HTTPS"):
        download("https://example.org/file.zip", tmp_path / "file.zip", silent, patience=QUICK)


def test_another_file_than_the_one_that_was_expected_is_refused(server, tmp_path):
    with pytest.raises(InputError, match="not the file that was expected"):
        fetch(server, tmp_path, sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


PATIENT = Patience(attempts=5, pause_s=60.0)
"""A second attempt would make the test take a minute."""


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9/file.zip", "127.0.0.1 can't be reached: Connection refused"),
        ("http://no-such-host.invalid/file.zip", "no-such-host.invalid can't be reached: "),
    ],
)
def test_where_no_connection_can_be_begun_that_is_told_at_once(tmp_path, url, message):
    with pytest.raises(Unreachable, match=re.escape(message)):
        download(url, tmp_path / "file.zip", silent, patience=PATIENT)


def test_a_server_that_is_gone_for_a_moment_is_asked_again(server, tmp_path, monkeypatch):
    def break_off(handler, start):
        if len(server.asked) > 1:
            return False
        server.begin(handler, start, len(CONTENT))
        handler.wfile.write(CONTENT[:100_000])
        return True

    server.misbehave = break_off
    get, asked = requests.Session.get, []

    def unreachable_once(session, address, **options):
        asked.append(address)
        return get(session, "http://127.0.0.1:9/" if len(asked) == 2 else address, **options)

    monkeypatch.setattr(requests.Session, "get", unreachable_once)
    fetch(server, tmp_path)
    assert len(asked) == 3 and server.asked[1] > 0


def test_a_redirect_to_no_address_is_told_at_once(server, tmp_path):
    server.misbehave = lambda handler, start: (
        handler.send_response(302),
        handler.send_header("Location", "http://[::1"),
        handler.end_headers(),
    )
    with pytest.raises(SamplepackError, match="no valid address"):
        download(server.url, tmp_path / "file.zip", silent, patience=PATIENT)


def test_without_a_network_the_message_says_what_else_can_be_done(run, monkeypatch):
    monkeypatch.setenv("SAMPLEPACK_MIRROR", "http://127.0.0.1:9/models")
    refused = run("checkpoints", "fetch", "acoustic_only")
    assert refused.code == 1 and "127.0.0.1 can't be reached" in refused.err
    assert all(part in refused.err for part in ("--offline", "SAMPLEPACK_MIRROR", "acoustic_only.zip"))


@pytest.fixture
def mirror(server, monkeypatch):
    monkeypatch.setenv("SAMPLEPACK_MIRROR", server.url.removesuffix("/file.zip"))
    return server


@pytest.fixture
def magenta_folder(tmp_path):
    """A checkpoint as Magenta publishes them, but tiny."""
    return shutil.copytree(FIXTURES / "magenta-tiny", tmp_path / "tiny", ignore=shutil.ignore_patterns("golden.npz"))


def zipped(folder):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    return buffer.getvalue()


def test_what_is_fetched_can_be_named_and_says_where_it_came_from(run, mirror, magenta_folder, home, write_recipe):
    mirror.content = zipped(magenta_folder)
    fetched = run("checkpoints", "fetch", "acoustic_only")
    assert fetched.code == 0, fetched.err
    assert "in a recipe: checkpoint: acoustic_only" in fetched.out
    about = run("checkpoints", "info", "acoustic_only").out
    assert f"/acoustic_only.zip (SHA-256 {hashlib.sha256(mirror.content).hexdigest()})" in about
    assert list((home / "downloads").iterdir()) == []
    again = run("checkpoints", "fetch", "acoustic_only")
    assert again.code == 2 and "already" in again.err
    assert run("check", write_recipe("checkpoint: acoustic_only\n")).code == 0


def test_a_wrong_file_is_no_checkpoint_and_is_not_kept(run, mirror, home):
    fetched = run("checkpoints", "fetch", "acoustic_only")
    assert fetched.code == 2 and "neither a folder nor a zip" in fetched.err
    assert list((home / "downloads").iterdir()) == [] and not (home / "checkpoints" / "acoustic_only").exists()


def test_offline_opens_no_connection(run, mirror, magenta_folder, home):
    refused = run("checkpoints", "fetch", "acoustic_only", "--offline")
    assert refused.code == 2 and "acoustic_only.zip isn't there" in refused.err
    (home / "downloads").mkdir()
    (home / "downloads" / "acoustic_only.zip").write_bytes(zipped(magenta_folder))
    assert run("checkpoints", "fetch", "acoustic_only", "--offline").code == 0
    assert mirror.asked == []


def test_names_and_mirrors_that_are_none_are_told(run, monkeypatch):
    unknown = run("checkpoints", "fetch", "acoustic")
    assert unknown.code == 2 and "did you mean 'acoustic_only'?" in unknown.err
    monkeypatch.setenv("SAMPLEPACK_MIRROR", "ftp://example.org")
    assert "SAMPLEPACK_MIRROR" in run("checkpoints", "fetch", "acoustic_only").err
