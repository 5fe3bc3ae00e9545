"""Downloads over HTTP. No other module opens a connection, and only `samplepack checkpoints fetch` uses this one."""

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

_MOST_BYTES = 2 << 30
_BLOCK = 1 << 14
_MOST_REDIRECTS = 5
_TRANSIENT = (408, 429, 500, 502, 503, 504)
"""HTTP status codes after which another attempt may succeed."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, and how often to try again."""

    stall_s: float = 30.0
    """The connection counts as broken after so many seconds without a byte."""

    attempts: int = 5
    """The download is given up after so many attempts in a row without a new byte."""

    pause_s: float = 2.0
    """Pause after an attempt that brought new bytes, seconds. It doubles with each attempt in a row that brought
    none, up to 32 times."""


def download(
    url: str, target: Path, progress: Progress, sha256: str | None = None, patience: Patience = Patience()
) -> str:
    """Download a file, resuming where an earlier attempt broke off. The target appears only when it is complete.

    Args:
        url: address of the file, with HTTP or HTTPS; a redirect from HTTPS to HTTP is refused.
        target: path of the downloaded file; `NAME.part` and `NAME.part.json` beside it hold an incomplete download.
        progress: receives how many bytes have been downloaded, and the total if the server sends it.
        sha256: the SHA-256 that the file must have, as hex; None if it isn't known.
        patience: how long to wait for the server, and how often to try again.

    Returns:
        The file's SHA-256, as hex.

    Raises:
        InputError: the file's SHA-256 isn't `sha256`.
        Unreachable: the first attempt couldn't establish a connection; there is no second one then.
        SamplepackError: the server refuses the file, or attempts in a row bring nothing new.
        OSError: the file can't be written.
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
        except (_Broken, Unreachable) as error:
            has_begun = has_begun or part.size > before or isinstance(error, _Broken)
            if not has_begun:
                raise
            attempts = 0 if part.size > before else attempts + 1
            if attempts >= patience.attempts:
                raise SamplepackError(f"{url}: {error}; what has come is kept, run it again to go on") from error
            time.sleep(patience.pause_s * 2.0 ** min(attempts, 5))
    digest = sha256_of_file(part.path)
    if sha256 is not None and digest != sha256:
        part.forget()
        raise InputError(f"{url}: not the file that was expected: its SHA-256 is {digest}, not {sha256}")
    part.path.replace(target)
    part.forget()
    return digest


class Unreachable(SamplepackError):
    """No connection to the server could be established: there is no network, no such host, or nothing listens there."""


class _Broken(Exception):
    """An attempt ended before the file was complete; another attempt may complete it."""


class _Part:
    """An incomplete download: its bytes so far, and the address and version of the file that they belong to."""

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path, url
        self.name = path.name.removesuffix(".part")
        self._metadata_path = path.with_name(f"{path.name}.json")
        self.validator = ""
        """The server's ETag or date of the file that the bytes belong to; empty where the download can't be resumed."""
        try:
            metadata = json.loads(self._metadata_path.read_bytes())
            if metadata["url"] == url and path.is_file():
                self.validator = str(metadata["validator"])
        except (OSError, ValueError, KeyError, TypeError):
            pass

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def begin(self, validator: str) -> None:
        """Start an empty download of one version of the file."""
        self.path.write_bytes(b"")
        self.validator = validator
        write_aside(self._metadata_path, json.dumps({"url": self.url, "validator": validator}).encode())

    def forget(self) -> None:
        """Remove the incomplete download, so that the next attempt starts from the first byte."""
        self.path.unlink(missing_ok=True)
        self._metadata_path.unlink(missing_ok=True)
        self.validator = ""


def _attempt(url: str, part: _Part, progress: Progress, patience: Patience) -> None:
    import requests

    is_resumed = bool(part.validator) and part.size > 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "samplepack"}
    if is_resumed:
        headers |= {"Range": f"bytes={part.size}-", "If-Range": part.validator}
    try:
        with contextlib.closing(_get(url, headers, patience)) as response:
            if response.status_code == 416:  # the file is shorter now, or was complete but not renamed
                part.forget()
                raise _Broken("the server has another file now")
            if response.status_code in _TRANSIENT:
                raise _Broken(f"the server answers {response.status_code} {response.reason}")
            if response.status_code not in (200, 206):
                raise SamplepackError(f"{url}: the server answers {response.status_code} {response.reason}")
            _receive(url, response, part, progress)
    except requests.exceptions.RequestException as error:
        if (cause := _connection_problem(error)) is not None:
            raise Unreachable(f"{urlsplit(url).hostname} can't be reached: {cause}") from error
        raise _Broken(_reason(error)) from error


def _get(url: str, headers: dict[str, str], patience: Patience) -> requests.Response:
    """Send a request and follow its redirects."""
    import requests

    address = url
    with requests.Session() as session:
        for _ in range(_MOST_REDIRECTS):
            try:
                response = session.get(
                    address, headers=headers, stream=True, timeout=patience.stall_s, allow_redirects=False
                )
            except ValueError as error:  # requests also parses the address of a redirect
                raise SamplepackError(f"{address}: no valid address, or redirects to none: {error}") from error
            if response.next is None:
                return response
            response.close()
            address = response.next.url or ""
            if urlsplit(url).scheme == "https" and urlsplit(address).scheme != "https":
                raise SamplepackError(f"{url}: the server leads away from HTTPS, to {address}")
    raise SamplepackError(f"{url}: the server redirects from one address to the next without end")


def _receive(url: str, response: requests.Response, part: _Part, progress: Progress) -> None:
    """Append a response to the incomplete download, which starts anew if the server sends the whole file."""
    content_length = response.headers.get("Content-Length", "")
    length = int(content_length) if content_length.isdecimal() else None
    start = part.size
    if response.status_code == 206:
        is_next = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if not is_next or _validator(response) not in ("", part.validator):
            part.forget()
            raise _Broken("the server sends another part than the one requested")
    else:
        part.begin(_validator(response))
        start = 0
    total = None if length is None else start + length
    if max(total or 0, start) > _MOST_BYTES:
        raise SamplepackError(f"{url}: larger than {_MOST_BYTES >> 30} GiB, which no checkpoint is")
    received = start
    with part.path.open("ab") as file:
        for block in response.iter_content(_BLOCK):
            file.write(block)
            file.flush()
            received += len(block)
            if received > _MOST_BYTES:
                raise SamplepackError(f"{url}: larger than {_MOST_BYTES >> 30} GiB, which no checkpoint is")
            progress(part.name, received, total)
    if total is not None and received != total:
        raise _Broken(f"the connection broke off after {received} of {total} bytes")


def _validator(response: requests.Response) -> str:
    """The header that identifies the version of a file: a strong ETag, else Last-Modified; empty without either."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _connection_problem(error: requests.exceptions.RequestException) -> str | None:
    """Why a connection couldn't be established; None where it was established and broke later."""
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
