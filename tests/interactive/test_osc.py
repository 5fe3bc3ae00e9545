"""The OSC server: every request answered by its number, floods dropped in order, and nothing that ends it."""

import random
import socket
import threading
import time
from contextlib import contextmanager

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from samplepack.base.errors import InputError
from samplepack.interactive.osc import HOST, OscServer


class Echo:
    """Answers with what it got; `slow` waits for the test."""

    def __init__(self):
        self.go, self.begun = threading.Event(), threading.Event()

    def answer(self, verb, values):
        if verb == "slow":
            self.begun.set()
            assert self.go.wait(30)
        if verb == "wrong":
            raise InputError("this is wrong")
        if verb == "broken":
            raise ZeroDivisionError("by zero")
        return list(values)


class Client:
    def __init__(self, port):
        self.to = (HOST, port)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((HOST, 0))

    def send(self, verb, *values, prefix="/samplepack/"):
        message = OscMessageBuilder(prefix + verb)
        for value in values:
            message.add_arg(value)
        self.socket.sendto(message.build().dgram, self.to)

    def receive(self, seconds=30.0):
        self.socket.settimeout(seconds)
        message = OscMessage(self.socket.recv(65536))
        return (message.address.rpartition("/")[2], *message.params)

    def ask(self, verb, *values, seconds=30.0):
        self.send(verb, *values)
        return self.receive(seconds)


@contextmanager
def serving(live, reply_port=None):
    server = OscServer(live, 0, reply_port)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture
def echo():
    live = Echo()
    with serving(live) as server:
        yield live, Client(server.port)
        live.go.set()


def test_an_answer_has_the_number_and_the_verb_of_its_request(echo):
    _, client = echo
    assert client.ask("hello", 7, "ä b", 3, 0.5) == ("answer", 7, "hello", "ä b", 3, 0.5)
    assert client.ask("hello", 8.0) == ("answer", 8, "hello")


@pytest.mark.parametrize(
    ("send", "answered"),
    [
        (("wrong", 3), ("error", 3, "wrong", "this is wrong")),
        (("broken", 4), ("error", 4, "broken", "ZeroDivisionError: by zero")),
        (
            ("hello", "x"),
            ("error", -1, "hello", "the first argument should be the number of the request, a whole number"),
        ),
        (("hello",), ("error", -1, "hello", "the first argument should be the number of the request, a whole number")),
        (
            ("hello", 1.5),
            ("error", -1, "hello", "the first argument should be the number of the request, a whole number"),
        ),
    ],
)
def test_what_is_wrong_is_said(echo, send, answered):
    _, client = echo
    assert client.ask(*send) == answered


def test_other_addresses_and_other_bytes_get_an_error(echo):
    _, client = echo
    client.send("x", 1, prefix="/other/")
    assert client.receive() == ("error", -1, "/other/x", "addresses begin with /samplepack/")
    client.socket.sendto(b"GET / HTTP/1.1", client.to)
    assert client.receive() == ("error", -1, "", "14 bytes that are no OSC message")


def test_a_flood_is_dropped_from_its_beginning_and_said(echo):
    live, client = echo
    client.send("slow", 0)
    assert live.begun.wait(30)
    for number in range(1, 101):
        client.send("hello", number)
    told = [client.receive() for _ in range(36)]
    assert told == [("dropped", n, "hello", "more than 64 requests were waiting") for n in range(1, 37)]
    live.go.set()
    assert [client.receive()[:2] for _ in range(65)] == [("answer", n) for n in (0, *range(37, 101))]


def test_a_client_that_goes_away_hurts_no_other(echo):
    live, client = echo
    gone = Client(client.to[1])
    gone.send("slow", 1)
    assert live.begun.wait(30)
    gone.socket.close()
    live.go.set()
    assert client.ask("hello", 2) == ("answer", 2, "hello")


def test_answers_of_servers_are_not_answered(echo):
    _, client = echo
    client.send("error", 1, "x", "y")
    client.send("dropped", 1)
    assert client.ask("hello", 2) == ("answer", 2, "hello")


def test_answers_can_go_to_another_port():
    other = Client(0)
    with serving(Echo(), reply_port=other.socket.getsockname()[1]) as server:
        Client(server.port).send("hello", 5)
        assert other.receive() == ("answer", 5, "hello")


def mutated(packet, draw):
    """A packet with some bytes changed, removed or doubled."""
    changed = bytearray(packet)
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(changed) + 1)
        how = draw.randrange(4)
        if how == 0 and changed:
            changed[at % len(changed)] = draw.randrange(256)
        elif how == 1:
            del changed[at : at + draw.randint(1, 8)]
        elif how == 2:
            changed[at:at] = changed[: draw.randint(0, 16)]
        else:
            changed[at:at] = draw.randbytes(draw.randint(1, 8))
    return bytes(changed)


def mutate(client, seconds_between, packets, seed=1):
    """Send mutated packets; every hundred of them the server must answer a whole one."""
    draw = random.Random(seed)
    message = OscMessageBuilder("/samplepack/hello")
    for value in (1, "text", 0.5, b"blob", [1, 2.0, "x"], True, None):
        message.add_arg(value)
    whole = message.build().dgram
    bundle = b"#bundle\0" + bytes(7) + b"\1" + len(whole).to_bytes(4, "big") + whole
    for number in range(packets):
        client.socket.sendto(mutated(draw.choice([whole, bundle]), draw), client.to)
        if number % 100 == 99:
            client.send("hello", 1_000_000 + number)
            while client.receive()[:2] != ("answer", 1_000_000 + number):
                pass
        time.sleep(seconds_between)


def test_mutated_packets_do_no_harm(echo):
    _, client = echo
    mutate(client, 0.0, 1000)
