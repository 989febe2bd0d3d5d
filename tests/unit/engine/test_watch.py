"""What is done about sockets that are silent, as time passes."""

from typing import Any

from dispatch.http.session import Watch


class Line:
    """A line that notes what is done to it."""

    def __init__(self) -> None:
        self.closing = False
        self.done: list[Any] = []

    def ping(self) -> bool:
        self.done.append("ping")
        return True

    def close(self, code: int, reason: str) -> None:
        self.done.append(code)
        self.closing = True

    def abort(self) -> None:
        self.done.append("abort")
        self.closing = True


class Silent:
    """A session that has been silent since the beginning."""

    def __init__(self) -> None:
        self.line = Line()
        self.heard_at = self.alive_at = 0.0
        self.pinged_at = 0.0
        self.must_speak = True


def watched() -> tuple[Watch, Any]:
    watch = Watch(60.0)
    session: Any = Silent()
    watch.sessions.add(session)
    return watch, session


def test_who_is_silent_is_pinged_once_and_who_then_answers_stays() -> None:
    watch, session = watched()
    for second in range(30):
        watch.look(float(second))
    assert session.line.done == ["ping"]
    session.alive_at = 30.0  # the pong
    watch.look(45.0)
    assert session.line.done == ["ping"]
    watch.look(51.0)
    assert session.line.done == ["ping", "ping"]


def test_who_does_not_even_answer_a_ping_is_gone() -> None:
    watch, session = watched()
    for second in range(50):
        watch.look(float(second))
    assert session.line.done == ["ping", "abort"]


def test_who_answers_pings_but_says_nothing_is_closed_4408() -> None:
    watch, session = watched()
    for second in range(70):
        watch.look(float(second))
        if session.pinged_at > session.alive_at:
            session.alive_at = float(second)
    assert session.line.done[-1] == 4408


def test_who_may_only_listen_stays_as_long_as_it_answers_pings() -> None:
    watch, session = watched()
    session.must_speak = False
    for second in range(200):
        watch.look(float(second))
        if session.pinged_at > session.alive_at:
            session.alive_at = float(second)
    assert set(session.line.done) == {"ping"}
