"""Sessions of a phone or a console by seed: what it says, and what must come back for it (CONTRACT.md, 3 and 4).

A session says what the protocol allows, what it does not, and what RFC 6455 forbids, in any order. What must come back
is known for each: an answer, an `error` that names the field, a close code.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.acceptance.documents import AsyncApi
from tests.fuzz.engine import Fuzzed
from tests.fuzz.grammar import Grammar, Message
from tests.fuzz.wire import BINARY, CLOSE, PING, TEXT, Gone, RawSocket, frame

FRAME_LIMIT = 64 * 1024
MOST_ERRORS = 20
ANSWERS = {
    "grab": {"grab_result", "grab_ack", "error"},
    "decline": {"progress_ack", "error"},
    "progress": {"progress_ack", "error"},
    "hand_back": {"progress_ack", "error"},
}
"""What a command of a crew is answered with, under its id."""


class Session:
    """One socket from its opening to its end."""

    def __init__(self, engine: Fuzzed, judge: AsyncApi, seed: int, grammars: dict[str, Grammar]) -> None:
        self.rng = Random(seed)
        self.channel = self.rng.choice(("crew", "crew", "console"))
        self.engine, self.judge, self.grammar = engine, judge, grammars[self.channel]
        self.trace: list[str] = []
        self.errors = 0
        self.greeted = False
        token = engine.tokens[self.rng.choice(("dispatcher", "monitor", "admin"))]
        self.token = self.rng.choice(engine.crew_tokens) if self.channel == "crew" else token
        self.in_handshake = self.rng.random() < 0.5
        self.socket = RawSocket(engine.url, self.channel, token=self.token if self.in_handshake else None)

    def run(self) -> None:
        """Say what the seed says, and look at what comes back."""
        ways: list[Callable[[], None]] = [self.valid] * 5 + [self.wrong] * 5
        ways += [self.binary, self.fragments, self.ping_frame, self.noise]
        with self.socket:
            try:
                for _ in range(self.rng.randrange(5, 30)):
                    if not self.greeted and self.rng.random() < 0.5:
                        self.hello()
                    self.rng.choice(ways)()
                self.rng.choice((self.too_large, self.breach, self.goodbye, self.socket.reset, self.shout))()
            except Gone as gone:
                raise AssertionError(f"the socket was closed with {gone.code}") from None
        for message in self.socket.heard:
            self.judge.check(self.channel, message)

    def hello(self) -> None:
        """Say who it is."""
        message: Message = {"type": "hello", "resume_after": self.rng.choice((None, 0, 10**9, 10**30))}
        if not self.in_handshake:
            message["token"] = self.token
        self.note(message)
        self.socket.say(message)
        expected = "welcome" if self.channel == "crew" else "snapshot"
        while self.socket.next()["type"] != expected:
            pass
        self.greeted = True

    def valid(self) -> None:
        """Say what the protocol allows; whoever has not said hello is told to."""
        kind = self.rng.choice(self.grammar.kinds)
        if kind == "hello" and not self.greeted:
            self.hello()
            return
        message = self.grammar.message(self.rng, kind)
        self.note(message)
        self.socket.say(message)
        self.answered(message)

    def answered(self, message: Message) -> None:
        """Wait for what must come."""
        kind = message["type"]
        if kind == "ping":
            self.expect(lambda heard: heard == {**message, "type": "pong"})
        elif kind == "hello":
            self.expect(lambda heard: heard.get("code") == "hello_twice")
        elif self.channel == "crew" and not self.greeted:
            self.expect(lambda heard: heard.get("code") == "hello_first" and heard.get("id") == message.get("id"))
        elif kind in ANSWERS:
            self.expect(lambda heard: heard["type"] in ANSWERS[kind] and heard.get("id") == message["id"])
        else:
            assert not [heard for heard in self.socket.settle() if heard["type"] == "error"]

    def expect(self, holds: Callable[[Message], bool]) -> None:
        """Read until it comes."""
        while not holds(self.socket.next()):
            pass

    def wrong(self) -> None:
        """Say something with one thing wrong: the error names it, and the socket stays."""
        message = self.grammar.message(self.rng, self.rng.choice(self.grammar.kinds))
        text, what, names = self.grammar.mutate(self.rng, message)
        self.note(f"{message['type']}, {what}: {text[:300]}")
        self.refused(frame(TEXT, text.encode("utf-8", "surrogatepass")), names)

    def binary(self) -> None:
        """Say it in a binary frame."""
        message = self.grammar.message(self.rng, "ping")
        self.note(f"binary {message}")
        self.refused(frame(BINARY, json.dumps(message).encode()), ("text",))

    def refused(self, data: bytes, names: tuple[str, ...]) -> None:
        """Send a frame that is no message, and see it refused."""
        self.socket.send(data)
        error = self.socket.next()
        while error["type"] != "error" or error["code"] != "malformed":
            assert error["type"] != "pong", f"it was answered: {error}"
            error = self.socket.next()
        assert any(name in error["detail"] for name in names) or not names, f"no word of {names} in {error}"
        self.errors += 1
        if self.errors == MOST_ERRORS:
            assert self.socket.close_code() == 4400
            raise EndOfSession
        self.socket.settle()

    def fragments(self) -> None:
        """Say something in pieces, with pings between them."""
        message = self.grammar.message(self.rng, "ping")
        text = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        cuts = sorted(self.rng.randrange(len(text) + 1) for _ in range(self.rng.randrange(1, 6)))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        self.note(f"in {len(pieces)} pieces: {message}")
        for number, piece in enumerate(pieces):
            self.socket.send(frame(TEXT if number == 0 else 0, piece, fin=number == len(pieces) - 1))
            self.socket.send(frame(PING, b"between"))
        self.expect(lambda heard: heard == {**json.loads(text), "type": "pong"})

    def ping_frame(self) -> None:
        """Ping as the standard has it."""
        payload = self.rng.randbytes(self.rng.randrange(126))
        self.note(f"ping frame {payload!r}")
        self.socket.send(frame(PING, payload))
        self.socket.settle()
        assert self.socket.pongs[-1] == payload

    def noise(self) -> None:
        """Change bytes at random: whatever it is then, the socket stays, or the text was no UTF-8."""
        message = self.grammar.message(self.rng, self.rng.choice(self.grammar.kinds))
        data = bytearray(json.dumps(message, ensure_ascii=self.rng.random() < 0.5).encode("utf-8", "replace"))
        for _ in range(self.rng.randrange(1, 4)):
            data[self.rng.randrange(len(data))] = self.rng.randrange(256)
        self.note(f"noise {bytes(data[:300])!r}")
        if message["type"] == "hello" or b"hello" in data:
            return
        self.socket.send(frame(TEXT, bytes(data)))
        try:
            data.decode()
        except UnicodeDecodeError:
            assert self.socket.close_code() == 1007
            raise EndOfSession from None
        self.errors += sum(heard.get("code") == "malformed" for heard in self.socket.settle())

    def too_large(self) -> None:
        """Send as much as is allowed, then a byte more."""
        for size, pieces in ((FRAME_LIMIT, 1), (FRAME_LIMIT + 1, self.rng.choice((1, 3)))):
            text = b'{"type":"ping","x":"%s"}' % (b"x" * (size - 22))

            self.note(f"{size} bytes in {pieces} frames")
            each = -(-size // pieces)
            for number in range(pieces):
                part = text[number * each : (number + 1) * each]
                self.socket.send(frame(0 if number else TEXT, part, fin=number == pieces - 1))
            if size == FRAME_LIMIT:
                self.expect(lambda heard: heard["type"] == "pong")
        assert self.socket.close_code() == 1009

    def breach(self) -> None:
        """Break the standard: the connection ends with 1002, and nobody else notices."""
        breaches = {
            "reserved bit": frame(TEXT, b"{}", rsv=4),
            "reserved opcode": frame(3, b"{}"),
            "reserved control opcode": frame(11),
            "not masked": frame(TEXT, b"{}", masked=False),
            "a ping of 126 bytes": frame(PING, b"x" * 126),
            "a ping in pieces": frame(PING, b"x", fin=False),
            "the end of nothing": frame(0, b"{}"),
            "a message within a message": frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"),
            "a close of one byte": frame(CLOSE, b"x"),
            "a close with a code that is none": frame(CLOSE, (1005).to_bytes(2, "big")),
        }
        what = self.rng.choice(list(breaches))
        self.note(what)
        self.socket.send(breaches[what])
        assert self.socket.close_code() == 1002, what

    def goodbye(self) -> None:
        """Close as one should, or with words that are no text."""
        reason = self.rng.choice((b"", "再见".encode(), b"\xff"))
        code = self.rng.choice((1000, 1001, 3000, 4999))
        self.note(f"close {code} {reason!r}")
        self.socket.send(frame(CLOSE, code.to_bytes(2, "big") + reason))
        assert self.socket.close_code() == (1007 if reason == b"\xff" else code)

    def shout(self) -> None:
        """Say what cannot be read until the server has enough."""
        self.note("shouting")
        while True:
            self.refused(frame(TEXT, b"?"), ())

    def note(self, what: Any) -> None:
        """Keep it for the story of a failure."""
        self.trace.append(str(what)[:400])


class EndOfSession(Exception):
    """The server has ended the socket as it must."""
