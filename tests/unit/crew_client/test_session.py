"""What a client remembers, tested without a loop."""

from datetime import timedelta
from typing import Any

import pytest

from crew_client.protocol import (
    Assigned,
    Decline,
    Error,
    Grab,
    GrabAck,
    GrabResult,
    Hello,
    OfferClosed,
    Pong,
    Position,
    Progress,
    ProgressAck,
    Revoked,
    Route,
    Shift,
    ShiftChanged,
    Stop,
    Updated,
)
from crew_client.session import Session


@pytest.fixture
def session(make: Any) -> Session:
    session = Session()
    session.receive(make.welcome(10), now=make.now)
    return session


def see(session: Session, make: Any, *messages: Any) -> list[bool]:
    return [session.receive(message, now=make.now).new for message in messages]


def test_a_first_hello_asks_for_everything_and_a_later_one_for_what_was_missed(make: Any) -> None:
    session = Session()
    assert session.hello() == Hello()
    see(session, make, make.welcome(10), make.offer(11))
    session.lost()
    assert session.hello() == Hello(resume_after=11, epoch="e1")


def test_offers_open_and_close(session: Session, make: Any) -> None:
    see(session, make, make.offer(11, "o1"), make.offer(12, "o2"), OfferClosed(seq=13, order="o1", reason="taken"))
    assert list(session.mirror.offers) == ["o2"]


def test_a_message_seen_before_is_ignored(session: Session, make: Any) -> None:
    closed = OfferClosed(seq=12, order="o1", reason="taken")
    assert see(session, make, make.offer(11), closed, make.offer(11), closed) == [True, True, False, False]
    assert not session.mirror.offers
    assert session.mirror.seq == 12


def test_a_won_order_shows_when_its_update_names_this_crew(session: Session, make: Any) -> None:
    see(session, make, make.offer(11), GrabResult(id="g1", order="o1", won=True, reason="won"))
    assert not session.mirror.orders
    see(session, make, Updated(seq=12, order=make.held()))
    assert list(session.mirror.orders) == ["o1"]
    assert not session.mirror.offers


@pytest.mark.parametrize("state", ["resolved", "closed", "cancelled", "held", "transferred", "merged"])
def test_an_order_that_ended_or_was_put_back_is_no_longer_held(session: Session, make: Any, state: str) -> None:
    see(session, make, Updated(seq=11, order=make.held()), Updated(seq=12, order=make.held(state=state)))
    assert not session.mirror.orders


def test_an_order_updated_to_another_crew_is_neither_held_nor_offered(session: Session, make: Any) -> None:
    see(session, make, make.offer(11), Updated(seq=12, order=make.held(crew="c2")))
    assert not session.mirror.orders
    assert not session.mirror.offers


def test_an_update_of_an_offered_order_keeps_the_terms_of_the_offer(session: Session, make: Any) -> None:
    see(session, make, make.offer(11), Updated(seq=12, order=make.order(severity=5)))
    offer = session.mirror.offers["o1"]
    assert (offer.order.severity, offer.eta_s) == (5, 120)


def test_assigned_and_revoked_move_an_order_in_and_out(session: Session, make: Any) -> None:
    see(session, make, make.offer(11), Assigned(seq=12, order=make.held(), by="optimizer", reason=None))
    assert list(session.mirror.orders) == ["o1"]
    assert not session.mirror.offers
    see(session, make, Revoked(seq=13, order="o1", by="dispatcher", reason="nearer crew"))
    assert not session.mirror.orders


def test_a_route_is_kept_and_a_snapshot_forgets_it(session: Session, make: Any) -> None:
    see(session, make, Route(seq=11, stops=(Stop(order="o1", eta=make.now),)))
    assert session.mirror.route[0].order == "o1"
    see(session, make, make.welcome(20))
    assert session.mirror.route == ()


def test_a_resumed_welcome_changes_nothing_and_the_replay_catches_up(session: Session, make: Any) -> None:
    see(session, make, make.offer(11))
    session.lost()
    see(session, make, make.welcome(99, resumed=True))
    assert list(session.mirror.offers) == ["o1"]
    assert session.mirror.seq == 11
    assert see(session, make, make.offer(11), make.offer(50, "o2")) == [False, True]


def test_a_snapshot_replaces_all_even_where_the_log_began_anew(session: Session, make: Any) -> None:
    see(session, make, make.offer(11), Updated(seq=12, order=make.held("o9")))
    session.lost()
    see(session, make, make.welcome(3, epoch="e2", offers=(make.offered("o5"),), orders=(make.held("o6"),)))
    assert list(session.mirror.offers) == ["o5"]
    assert list(session.mirror.orders) == ["o6"]
    assert session.hello() == Hello(resume_after=3, epoch="e2")
    assert see(session, make, make.offer(4, "o7")) == [True]


def test_its_own_snapshot_makes_a_fresh_session_know_the_same(session: Session, make: Any) -> None:
    see(session, make, make.offer(11), Updated(seq=12, order=make.held("o9")))
    fresh = Session()
    see(fresh, make, session.snapshot(now=make.now))
    assert fresh.mirror.orders == session.mirror.orders
    assert fresh.mirror.offers["o1"].order == session.mirror.offers["o1"].order
    assert (fresh.mirror.seq, fresh.mirror.epoch) == (12, "e1")


def test_commands_without_a_verdict_are_sent_again_on_each_new_connection(session: Session, make: Any) -> None:
    grab, decline = Grab(id="g1", order="o1"), Decline(id="d1", order="o2")
    session.ask(grab)
    session.ask(decline)
    assert session.outgoing() == [grab, decline]
    assert session.outgoing() == []
    session.lost()
    later = Grab(id="g2", order="o3")
    session.ask(later)
    assert session.outgoing() == []
    see(session, make, make.welcome(10, resumed=True))
    assert session.outgoing() == [grab, decline, later]


def test_a_verdict_ends_the_asking_and_a_bid_that_is_only_in_does_not(session: Session, make: Any) -> None:
    session.ask(Grab(id="g1", order="o1"))
    see(session, make, GrabAck(id="g1", order="o1", closes_at=make.now))
    assert len(session.owed) == 1
    verdict = GrabResult(id="g1", order="o1", won=False, reason="outbid")
    assert session.receive(verdict, now=make.now).verdict is verdict
    assert not session.owed
    assert session.receive(verdict, now=make.now).verdict is None


def test_an_error_that_names_a_command_is_its_verdict(session: Session, make: Any) -> None:
    session.ask(Grab(id="g1", order="o1"))
    assert session.receive(Error(code="x", detail="y"), now=make.now).verdict is None
    error = Error(code="x", detail="y", id="g1")
    assert session.receive(error, now=make.now).verdict is error
    assert not session.owed


def test_a_server_that_stumbled_is_asked_again(session: Session, make: Any) -> None:
    grab = Grab(id="g1", order="o1")
    session.ask(grab)
    session.outgoing()
    assert session.receive(Error(code="failed", detail="send it again", id="g1"), now=make.now).verdict is None
    session.nudge()
    session.nudge()
    assert session.outgoing() == [grab]


def test_a_command_is_asked_once_and_its_id_serves_no_other(session: Session, make: Any) -> None:
    session.ask(Progress(id="p1", order="o1", to="arrived", at=make.now))
    session.ask(Progress(id="p1", order="o1", to="arrived", at=make.now + timedelta(seconds=5)))
    assert len(session.outgoing()) == 1
    with pytest.raises(ValueError, match="'p1' is taken"):
        session.ask(Progress(id="p1", order="o1", to="resolved", at=make.now))


def test_a_withdrawn_command_is_not_sent(session: Session, make: Any) -> None:
    session.ask(Grab(id="g1", order="o1"))
    session.withdraw("g1")
    assert session.outgoing() == []
    session.lost()
    see(session, make, make.welcome(10, resumed=True))
    assert session.outgoing() == []


def test_a_command_that_stays_unanswered_is_asked_again_after_two_looks(session: Session) -> None:
    grab = Grab(id="g1", order="o1")
    session.ask(grab)
    session.outgoing()
    session.nudge()
    assert session.outgoing() == []
    session.nudge()
    assert session.outgoing() == [grab]
    session.nudge()
    assert session.outgoing() == []


def test_a_command_that_the_server_could_only_refuse_is_refused_here(session: Session, make: Any) -> None:
    with pytest.raises(ValueError, match="id"):
        session.ask(Grab(id="x" * 65, order="o1"))
    with pytest.raises(ValueError, match="lon"):
        session.put_position(Position(lon=200, lat=45, accuracy_m=5, at=make.now))
    assert session.outgoing() == []


def test_a_declined_offer_hides_until_it_is_made_again(session: Session, make: Any) -> None:
    see(session, make, make.offer(11))
    session.ask(Decline(id="d1", order="o1"))
    see(session, make, ProgressAck(id="d1", order="o1", state="offered"))
    assert not session.mirror.offers
    see(session, make, make.welcome(12, offers=(make.offered("o1"),)))
    assert not session.mirror.offers
    see(session, make, make.offer(13, closes_in_s=300))
    assert list(session.mirror.offers) == ["o1"]


def test_a_declined_offer_stays_hidden_where_a_snapshot_shows_a_later_window_of_it(session: Session, make: Any) -> None:
    see(session, make, make.offer(11, closes_in_s=6))
    session.ask(Decline(id="d1", order="o1"))
    see(session, make, ProgressAck(id="d1", order="o1", state="offered"))
    see(session, make, make.welcome(12, offers=(make.offered("o1", closes_in_s=18),)))
    assert not session.mirror.offers


@pytest.mark.parametrize("on", [True, False])
def test_a_shift_that_ends_or_begins_clears_the_offers(session: Session, make: Any, on: bool) -> None:
    see(session, make, make.offer(11), ShiftChanged(seq=12, on=on, by="crew"), make.offer(13, "o2"))
    assert list(session.mirror.offers) == ["o2"]


def test_a_late_answer_to_a_decline_does_not_hide_the_next_offer_of_the_order(session: Session, make: Any) -> None:
    see(session, make, make.offer(11))
    session.ask(Decline(id="d1", order="o1"))
    see(session, make, OfferClosed(seq=12, order="o1", reason="expired"), make.offer(13, closes_in_s=300))
    see(session, make, ProgressAck(id="d1", order="o1", state="offered"))
    assert list(session.mirror.offers) == ["o1"]


def test_a_decline_that_was_not_taken_leaves_the_offer(session: Session, make: Any) -> None:
    see(session, make, make.offer(11))
    session.ask(Decline(id="d1", order="o1"))
    see(session, make, ProgressAck(id="d1", order="o1", error="closed"))
    assert list(session.mirror.offers) == ["o1"]


def test_a_shift_is_said_again_until_the_log_has_it_and_never_against_a_dispatcher(session: Session, make: Any) -> None:
    session.put_shift(Shift(on=True))
    session.lost()
    see(session, make, make.welcome(10, resumed=True))
    assert session.outgoing() == [Shift(on=True)]
    see(session, make, ShiftChanged(seq=11, on=True, by="crew"))
    see(session, make, ShiftChanged(seq=12, on=False, by="dispatcher", reason="unwell"))
    assert not session.on_shift
    session.lost()
    see(session, make, make.welcome(12, resumed=True))
    assert session.outgoing() == []
    assert not session.on_shift


def test_a_shift_that_a_dispatcher_ends_meanwhile_stays_ended(session: Session, make: Any) -> None:
    session.put_shift(Shift(on=True))
    see(session, make, ShiftChanged(seq=11, on=True, by="crew"))
    session.lost()
    see(session, make, make.welcome(12, resumed=True))
    assert session.outgoing() == []


def test_of_the_positions_only_the_newest_is_sent_and_after_the_shift(make: Any) -> None:
    session = Session()
    first, last = (Position(lon=126, lat=lat, accuracy_m=9, at=make.now) for lat in (45, 46))
    session.put_position(first)
    session.put_position(last)
    session.put_shift(Shift(on=True))
    session.ask(Grab(id="g1", order="o1"))
    assert session.outgoing() == []
    see(session, make, make.welcome(10))
    assert session.outgoing() == [Shift(on=True), last, Grab(id="g1", order="o1")]
    assert session.outgoing() == []
    session.lost()
    see(session, make, make.welcome(10, resumed=True))
    assert session.outgoing() == [Shift(on=True), last, Grab(id="g1", order="o1")]


def test_the_clock_of_the_server_is_known_from_its_welcome(make: Any) -> None:
    session = Session()
    session.receive(make.welcome(0), now=make.now - timedelta(minutes=7))
    assert session.server_ahead == timedelta(minutes=7)


def test_a_pong_is_nothing_new(session: Session, make: Any) -> None:
    assert see(session, make, Pong()) == [False]
