"""A server that answers messages of Open Sound Control (OSC) on this computer, for Pure Data, SuperCollider and Max."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from samplepack.base.errors import InputError, SamplepackError, printable

if TYPE_CHECKING:
    from samplepack.interactive.live import Live, Value

HOST = "127.0.0.1"
_MOST_WAITING = 64
_PREFIX = "/samplepack/"
_ANSWERS = ("answer", "error", "dropped")
_BUFFER_BYTES = 4 << 20
_MOST_BYTES = 65536
_LONGEST_MESSAGE, _LONGEST_VERB = 1000, 60
_NO_NUMBER = -1

_Client = tuple[str, int]
_Request = tuple[_Client, int, str, Sequence[object]]


class OscServer:
    """Takes requests `/samplepack/VERB NUMBER ARGUMENTS…` and answers each to whoever sent it.

    The answer is `/samplepack/answer NUMBER VERB RESULTS…`, or `/samplepack/error NUMBER VERB MESSAGE`. Requests are
    answered in their order. 64 may wait: when one more comes, the one that has waited longest is dropped, and its
    sender told by `/samplepack/dropped NUMBER VERB MESSAGE`.

    Args:
        live: answers the verbs.
        port: to listen on; 0 is any that is free.
        reply_port: where answers go, on this computer; None: to the port that a request came from.

    Raises:
        OSError: the port isn't free.
    """

    def __init__(self, live: Live, port: int, reply_port: int | None = None) -> None:
        self._live, self._reply_port = live, reply_port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        try:
            self._socket.bind((HOST, port))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]
        self._waiting: deque[_Request] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def serve(self) -> None:
        """Answer requests until `close` is called from another thread."""
        answering = threading.Thread(target=self._answer_all)
        answering.start()
        try:
            while not self._closed:
                try:
                    packet, client = self._socket.recvfrom(_MOST_BYTES)
                except ConnectionError:  # a client that went away; some systems say so here
                    continue
                if not self._closed and packet:
                    self._take(packet, client)
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            answering.join()
            self._socket.close()

    def close(self) -> None:
        """End `serve`, after the request that is being answered."""
        self._closed = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knock:
            knock.sendto(b"\0", (HOST, self.port))

    def _take(self, packet: bytes, client: _Client) -> None:
        """Put the requests of a packet among those that wait."""
        from pythonosc.osc_packet import OscPacket

        if client[1] == self.port:
            return  # it would answer itself
        try:
            messages = [timed.message for timed in OscPacket(packet).messages]
        except Exception:  # the parser raises what its parts raise, down to RecursionError
            messages = []
        if not messages:
            self._fail(client, _NO_NUMBER, "", f"{len(packet)} bytes that are no OSC message")
            return
        for message in messages:
            address, values = message.address, list(message.params)
            verb, number = address.removeprefix(_PREFIX), _whole(values[0]) if values else None
            if address.startswith(_PREFIX) and verb in _ANSWERS:
                continue  # another server's answer, which mustn't be answered
            if not address.startswith(_PREFIX):
                self._fail(client, _NO_NUMBER, address, f"addresses begin with {_PREFIX}")
            elif number is None:
                what = "the first argument should be the number of the request, a whole number"
                self._fail(client, _NO_NUMBER, verb, what)
            else:
                self._wait((client, number, verb, values[1:]))

    def _wait(self, request: _Request) -> None:
        dropped = None
        with self._changed:
            if len(self._waiting) >= _MOST_WAITING:
                dropped = self._waiting.popleft()
            self._waiting.append(request)
            self._changed.notify()
        if dropped:
            client, number, verb, _ = dropped
            message = f"more than {_MOST_WAITING} requests were waiting"
            self._send(client, "dropped", number, printable(verb)[:_LONGEST_VERB], message)

    def _answer_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                client, number, verb, values = self._waiting.popleft()
            try:
                self._send(client, "answer", number, verb, *self._live.answer(verb, values))
            except InputError as error:
                self._fail(client, number, verb, "; ".join(str(problem) for problem in error.problems))
            except SamplepackError as error:
                self._fail(client, number, verb, str(error))
            except Exception as error:  # whatever goes wrong with one request, the next one is answered
                self._fail(client, number, verb, f"{type(error).__name__}: {error}")

    def _fail(self, client: _Client, number: int, verb: str, message: str) -> None:
        self._send(client, "error", number, printable(verb)[:_LONGEST_VERB], printable(message)[:_LONGEST_MESSAGE])

    def _send(self, client: _Client, kind: str, number: int, verb: str, *values: Value) -> None:
        from pythonosc.osc_message_builder import OscMessageBuilder

        message: Any = OscMessageBuilder(_PREFIX + kind)
        message.add_arg(number, "i")
        for value in (verb, *values):
            message.add_arg(value, "s" if isinstance(value, str) else "i" if isinstance(value, int) else "f")
        with contextlib.suppress(OSError):  # the client went away
            self._socket.sendto(message.build().dgram, (HOST, self._reply_port or client[1]))


def _whole(number: object) -> int | None:
    """The number of a request; None if it isn't one that fits into 32 bits."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    if not -(2**31) <= number < 2**31 or number != int(number):
        return None
    return int(number)
