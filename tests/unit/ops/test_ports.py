import socket

import pytest

from dispatch.operator_errors import PortTaken
from dispatch.ports import Address, hold_port, shared_socket


def test_a_port_that_somebody_listens_on_is_refused_with_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"Port {port} on 127.0.0.1 is in use.*--port"):
            hold_port("127.0.0.1", port)


def test_a_port_shared_by_somebody_else_is_refused_too() -> None:
    with shared_socket("127.0.0.1", 0) as other:
        other.listen()
        with pytest.raises(PortTaken):
            hold_port("127.0.0.1", other.getsockname()[1])


def test_engines_share_the_held_port_and_get_every_connection() -> None:
    address, held = hold_port("127.0.0.1", 0)
    with held, shared_socket("127.0.0.1", address.port) as one, shared_socket("127.0.0.1", address.port) as two:
        one.listen()
        two.listen()
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", address.port), timeout=2):
                pass
        accepted = 0
        for listener in (one, two):
            while True:
                try:
                    listener.accept()[0].close()
                except BlockingIOError:
                    break
                accepted += 1
    assert accepted == 20, "the socket that holds the port took some"


@pytest.mark.parametrize(("host", "word"), [("no-such-host.invalid", "not known"), ("203.0.113.7", "not an address")])
def test_a_wrong_host_is_named(host: str, word: str) -> None:
    with pytest.raises(PortTaken, match=rf"{host}.*{word}|{word}.*{host}"):
        hold_port(host, 0)


def test_the_address_shown_is_one_that_a_browser_can_open() -> None:
    assert Address("0.0.0.0", 80).url == "http://127.0.0.1:80"
    assert Address("::1", 80).url == "http://[::1]:80"
