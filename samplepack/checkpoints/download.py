"""Files from the network: the one module that opens a connection, for `samplepack checkpoints fetch` alone."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from samplepack.base.errors import InputError, SamplepackError
from samplepack.base.files import sha256_of_file, write_aside
from samplepack.base.progress import Progress

if TYPE_CHECKING:
    import requests

_MOST_BYTES = 4 << 30
_BLOCK = 1 << 14
_MOST_REDIRECTS = 5
_TRANSIENT = (408, 429, 500, 502, 503, 504)
"""Answers after which it's worth asking again."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to ask again."""

    stall_s: float = 30.0
    """Without a byte for so long, the connection counts as broken."""

    attempts: int = 5
    """In a row that bring nothing new."""

    pause_s: float = 2.0
    """Before the second attempt; it doubles each time."""


def download(
    url: str, target: Path, progress: Progress, sha256: str | None = None, patience: Patience = Patience()
) -> str:
    """Download a file, going on where an earlier attempt broke off, and put it in its place whole.

    Args:
        url: where it lies. Only a mirror that the user chose may be without HTTPS; no redirect leads away from HTTPS.
        target: where it goes; `NAME.part` and `NAME.part.json` beside it hold what is half there.
        progress: receives how many bytes are there, of how many if the server says.
        sha256: what it must be, if that is known.
        patience: with the server.

    Returns:
        Its SHA-256.

    Raises:
        InputError: the file isn't the one that was expected.
        Unreachable: no connection could be begun; that is told at once, unless the download was under way.
        SamplepackError: the server doesn't give it.
        OSError: it can't be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(target.with_name(f"{target.name}.part"), url)
    attempts = 0
    has_begun = False
    while True:
        before = part.size
        try:
            _attempt(url, part, progress, patience)
            break
        except (_Broken, Unreachable) as broken:
            has_begun = has_begun or part.size > before or isinstance(broken, _Broken)
            if not has_begun:
                raise
            attempts = 0 if part.size > before else attempts + 1
            if attempts >= patience.attempts:
                raise SamplepackError(f"{url}: {broken}; what is there is kept, run it again to go on") from broken
            time.sleep(patience.pause_s * 2.0 ** min(attempts, 5))
    digest = sha256_of_file(part.path)
    if sha256 is not None and digest != sha256:
        part.forget()
        raise InputError(f"{url}: not the file that was expected: its SHA-256 is {digest}, not {sha256}")
    part.path.replace(target)
    part.forget()
    return digest


class Unreachable(SamplepackError):
    """No connection to the server could be begun: there is no network, no such host, or nothing listens there."""


class _Broken(Exception):
    """The connection didn't bring the whole file; another attempt may."""


class _Part:
    """What is there of a file, and of which one."""

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path, url
        self.name = path.name.removesuffix(".part")
        self._about = path.with_name(f"{path.name}.json")
        self.validator = ""
        """What the server calls this version of the file; empty where there is nothing to go on with."""
        try:
            about = json.loads(self._about.read_bytes())
            if about["url"] == url and path.is_file():
                self.validator = str(about["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            pass

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, validator: str) -> None:
        """Empty, of a version of the file."""
        self.path.write_bytes(b"")
        self.validator = validator
        write_aside(self._about, json.dumps({"url": self.url, "validator": validator}).encode())

    def forget(self) -> None:
        """Begin anew the next time."""
        self.path.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)
        self.validator = ""


def _attempt(url: str, part: _Part, progress: Progress, patience: Patience) -> None:
    import requests

    go_on = bool(part.validator) and part.size > 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "samplepack"}
    if go_on:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
    try:
        with contextlib.closing(_get(url, headers, patience)) as answer:
            if answer.status_code == 416:  # it has grown shorter, or was there whole and never renamed
                part.forget()
                raise _Broken("the server has another file now")
            if answer.status_code in _TRANSIENT:
                raise _Broken(f"the server answers {answer.status_code} {answer.reason}")
            if answer.status_code not in (200, 206):
                raise SamplepackError(f"{url}: the server answers {answer.status_code} {answer.reason}")
            _receive(url, answer, part, progress)
    except requests.exceptions.RequestException as error:
        if (cause := _connection_problem(error)) is not None:
            raise Unreachable(f"{urlsplit(url).hostname} can't be reached: {cause}") from error
        raise _Broken(_reason(error)) from error


def _get(url: str, headers: dict[str, str], patience: Patience) -> requests.Response:
    """The answer to a request, its redirects followed."""
    import requests

    address = url
    with requests.Session() as session:
        for _ in range(_MOST_REDIRECTS):
            try:
                answer = session.get(
                    address, headers=headers, stream=True, timeout=patience.stall_s, allow_redirects=False
                )
            except ValueError as error:  # requests reads the address that a redirect leads to, too
                raise SamplepackError(f"{address}: this, or where it leads to, is no valid address: {error}") from error
            if answer.next is None:
                return answer
            answer.close()
            address = answer.next.url or ""
            if urlsplit(url).scheme == "https" and urlsplit(address).scheme != "https":
                raise SamplepackError(f"{url}: the server leads away from HTTPS, to {address}")
    raise SamplepackError(f"{url}: the server leads from one address to the next without end")


def _receive(url: str, answer: requests.Response, part: _Part, progress: Progress) -> None:
    """Write down what the server sends."""
    announced = answer.headers.get("Content-Length", "")
    length = int(announced) if announced.isdecimal() else None
    start = part.size
    if answer.status_code == 206:
        is_next = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if not is_next or _validator(answer) not in ("", part.validator):
            part.forget()
            raise _Broken("the server sends another part than was asked for")
    else:
        part.begin(_validator(answer))
        start = 0
    whole = None if length is None else start + length
    if max(whole or 0, start) > _MOST_BYTES:
        raise SamplepackError(f"{url}: larger than {_MOST_BYTES >> 30} GiB, which no checkpoint is")
    received = start
    with part.path.open("ab") as file:
        for block in answer.iter_content(_BLOCK):
            file.write(block)
            file.flush()
            received += len(block)
            if received > _MOST_BYTES:
                raise SamplepackError(f"{url}: larger than {_MOST_BYTES >> 30} GiB, which no checkpoint is")
            progress(part.name, received, whole)
    if whole is not None and received != whole:
        raise _Broken(f"the connection broke off after {received} of {whole} bytes")


def _validator(answer: requests.Response) -> str:
    """What tells this version of a file from another; a weak ETag doesn't."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _connection_problem(error: requests.exceptions.RequestException) -> str | None:
    """Why a connection couldn't be begun; None where it could, and broke later."""
    import requests
    from urllib3.exceptions import NewConnectionError

    if isinstance(error, requests.exceptions.ConnectTimeout):
        return "it doesn't answer"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate can't be trusted"
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy can't be reached"
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, NewConnectionError):
        return getattr(reason.__cause__, "strerror", None) or str(reason)
    return None


def _reason(error: Exception) -> str:
    import requests

    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error):
        return "the server is silent"
    is_broken = isinstance(error, requests.exceptions.ChunkedEncodingError | requests.exceptions.ConnectionError)
    return "the connection broke off" if is_broken else str(error)
