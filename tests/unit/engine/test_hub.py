"""What a crew is told again when it comes back."""

from dispatch.deliveries import Delivery
from dispatch.hub import HISTORY, Histories, Hub


class Recorder:
    def __init__(self) -> None:
        self.frames: list[str] = []

    def send(self, frame: str) -> None:
        self.frames.append(frame)

    def close(self, code: int, reason: str) -> None:
        self.frames.append(f"closed {code}")


def frame(crew: str, seq: int) -> Delivery:
    return Delivery(crew, seq, f"head {seq}", " tail")


def test_a_crew_gets_what_it_missed_in_order() -> None:
    histories = Histories(10)
    for seq in (11, 12, 15):
        histories.keep(frame("c", seq))
    assert histories.since("c", 11) == ["head 12 tail", "head 15 tail"]


def test_a_crew_that_missed_nothing_gets_nothing() -> None:
    assert Histories(10).since("c", 10) == []


def test_before_the_engine_s_memory_only_a_snapshot_will_do() -> None:
    assert Histories(10).since("c", 9) is None


def test_who_missed_more_than_is_kept_gets_a_snapshot() -> None:
    histories = Histories(0)
    for seq in range(1, HISTORY + 2):
        histories.keep(frame("c", seq))
    assert histories.since("c", 0) is None
    missed = histories.since("c", 1)
    assert missed is not None
    assert len(missed) == HISTORY


def test_a_frame_goes_to_the_newest_socket_of_its_crew() -> None:
    hub = Hub()
    hub.histories["city"] = Histories(0)
    old, new = Recorder(), Recorder()
    assert hub.join("city", "c", old) is None
    assert hub.join("city", "c", new) is old
    hub.leave("city", "c", old)
    hub.deliver("city", frame("c", 1))
    assert (old.frames, new.frames) == ([], ["head 1 tail"])
