"""The port for HTTP: is it free, hold it, and share it among engine processes (SO_REUSEPORT)."""

import errno
import socket
from typing import NamedTuple

from dispatch.operator_errors import PortTaken


class Address(NamedTuple):
    """Where engines listen."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address for a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def hold_port(host: str, port: int) -> tuple[Address, socket.socket]:
    """Return the address (for port 0: a free one) and a socket that keeps it from others but not from our engines.

    The socket does not listen, so no connection comes to it. Raises `PortTaken` where somebody else listens there:
    with SO_REUSEPORT alone, connections would be dealt out among him and us.
    """
    with _bound(host, port, shared=False) as probe:
        address = Address(host, probe.getsockname()[1])
    return address, _bound(host, address.port, shared=True)


def shared_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket for one engine, on a port that several engines share; raises `PortTaken`."""
    return _bound(host, port, shared=True)


def _bound(host: str, port: int, *, shared: bool) -> socket.socket:
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror:
        raise PortTaken(f"The host {host} is not known here: choose another with --host.") from None
    bound = socket.socket(family, kind, protocol)
    try:
        # Lets go of connections of a former server that the kernel still remembers; not of one that listens.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared and hasattr(socket, "SO_REUSEPORT"):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(place)
    except OSError as error:
        bound.close()
        raise PortTaken(_sentence(host, port, error)) from None
    bound.setblocking(False)
    return bound


def _sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is in use by another program: stop that one, or choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} is only for root: choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine: choose another with --host."
    return f"Port {port} on {host} cannot be used ({error.strerror}): choose another with --host and --port."
