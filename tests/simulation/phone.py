"""A crew's phone: connects, resumes, asks again, and keeps what it was told; independent of `crew_client`."""

from typing import TYPE_CHECKING, Any

import msgspec

from dispatch.http.crew_socket import CrewSession
from dispatch.http.session import Watch
from tests.simulation.model import HELD, LISTED
from tests.simulation.network import Socket

if TYPE_CHECKING:
    from tests.simulation.processes import Node
    from tests.simulation.world import World

_decode = msgspec.json.decode
ORDERED = frozenset({"offer", "offer_closed", "assigned", "revoked", "updated", "route", "advice", "shift_changed"})


class Line:
    """One connection: what the engine sends over it is compared with the model as it is sent."""

    def __init__(self, phone: "Phone", node: "Node", resume_after: int | None) -> None:
        self.phone, self.node = phone, node
        self._resume_after = resume_after
        self._next: int | None = None
        self.socket = Socket(
            phone.world.loop,
            phone.world.delay,
            told=self._told,
            heard=lambda message: phone.hear(self, message),
            ended=lambda code: phone.lost(self, code),
        )

    def _told(self, frame: bytes) -> Any:
        world, crew = self.phone.world, self.phone.crew
        message = _decode(frame)
        kind = message["type"]
        world.seen["frames"] += 1
        world.trace(self.node.name, "->", crew, kind, message.get("seq"), message)
        if kind in ORDERED:
            self._check_ordered(kind, message)
        elif kind == "welcome":
            self._check_welcome(message)
        elif kind == "grab_result":
            world.model.verdict(crew, message["id"], message["reason"], by=self.node.name)
            kept = world.server.tables.grabs.get((crew, message["id"]))
            if kept is None or kept.reason != message["reason"]:
                world.wrong(f"{crew} is told {message['reason']} for {message['id']}, and kept is {kept}")
            elif message["won"]:
                world.model.win(crew, message["order"], kept.cycle)
        elif kind == "progress_ack":
            said = (message.get("state"), message.get("error"))
            world.model.verdict(crew, message["id"], said, by=self.node.name)
            if (crew, message["id"]) not in world.server.tables.commands:
                world.wrong(f"{crew} is told {said} for {message['id']}, and nothing is kept")
        elif kind == "error" and message["code"] == "failed":
            world.wrong(f"{crew} is told that something failed: {message}")
        return message

    def _check_ordered(self, kind: str, message: Any) -> None:
        world, crew = self.phone.world, self.phone.crew
        due = world.model.told[crew].frames
        if self._next is None:
            return world.wrong(f"{crew} is told {kind} before its welcome")
        if self._next >= len(due):
            return world.wrong(f"{crew} is told {kind} {message['seq']}, which the log does not have")
        seq, expected, what = due[self._next]
        self._next += 1
        if (message["seq"], kind) != (seq, expected):
            return world.wrong(f"{crew} is told {kind} {message['seq']} where {expected} {seq} comes next")
        if isinstance(what, str) and message["order"] != what:
            return world.wrong(f"{crew} is told {kind} of {message['order']}, not of {what}")
        if isinstance(what, dict):
            order = dict(message["order"])
            order.pop("description", None)
            if order.pop("contact", None) is not None and order["crew"] != crew:
                return world.wrong(f"{crew} is told whom to call for {order['id']}, which it does not hold")
            if order != what:
                return world.wrong(f"{crew} is told {kind} {seq} with {order}, the log has {what}")
        return None

    def _check_welcome(self, message: Any) -> None:
        world, crew = self.phone.world, self.phone.crew
        told = world.model.told[crew]
        world.seen["resumes" if message["resumed"] else "snapshots"] += 1
        if message["resumed"] and message["seq"] != self._resume_after:
            world.wrong(f"{crew} resumes at {message['seq']}, not at {self._resume_after}")
        self._next = told.due_after(message["seq"])
        if self.socket.has_stalled:
            return  # what was so when it was written is not known here
        offers, orders = told.at(self.node.desks["town"].mirror.seq)
        found = {order["id"]: order["version"] for order in message["offers"]}
        if found != offers:
            world.wrong(f"{crew} is welcomed with the offers {found}, open to it are {offers}")
        found = {order["id"]: order["version"] for order in message["orders"]}
        if found != orders:
            world.wrong(f"{crew} is welcomed with the orders {found}, on its list are {orders}")

    def complete(self) -> bool:
        """Return whether everything that the log has for this crew was sent."""
        return self._next == len(self.phone.world.model.told[self.phone.crew].frames)


class Phone:
    """What one crew has and wants."""

    def __init__(self, world: "World", crew: str) -> None:
        self.world, self.crew = world, crew
        self.line: Line | None = None
        self.epoch: str | None = None
        self.seq: int | None = None
        self.offers: dict[str, Any] = {}
        self.orders: dict[str, Any] = {}
        self.pending: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, dict[str, Any]] = {}
        self.on_shift = True
        self.gone = False
        self.eager = self.diligent = False
        self.heard_result = 0

    # Connections

    def connect(self) -> None:
        """Open a socket to some engine, beside one that may still be open."""
        node = self.world.some_node()
        if node is None or self.gone:
            self.world.later(0.5, self.reconnect)
            return
        self.line = line = Line(self, node, self.seq)
        ws: Any = line.socket
        self.world.serve(node, line.socket, CrewSession(node, ws, Watch(60.0)))
        self.world.trace(self.crew, "connects to", node.name, "after", self.seq)
        self._say({"type": "hello", "token": self.crew, "resume_after": self.seq, "epoch": self.epoch})

    def reconnect(self) -> None:
        """Connect where there is no connection."""
        if self.line is None and not self.gone:
            self.connect()

    def lost(self, line: Line, code: int) -> None:
        """A connection has ended."""
        self.world.trace(self.crew, "lost its connection to", line.node.name, code)
        if line is self.line:
            self.line = None
            self.world.later(self.world.rng.uniform(0.05, 0.6), self.reconnect)

    def _say(self, message: dict[str, Any]) -> None:
        if self.line is not None:
            self.line.socket.say(msgspec.json.encode(message).decode())

    # What it hears

    def hear(self, line: Line, message: Any) -> None:
        """Take a frame that has arrived."""
        kind = message["type"]
        if kind == "welcome":
            if not message["resumed"]:
                self.offers = {order["id"]: order["version"] for order in message["offers"]}
                self.orders = {order["id"]: order for order in message["orders"]}
                self.seq, self.epoch = message["seq"], message["epoch"]
            if line is self.line:
                self._greet()
        elif kind in ("grab_result", "progress_ack"):
            self.world.seen["verdicts"] += 1
            self.pending.pop(message["id"], None)
        elif kind == "grab_ack":
            asked = self.pending.get(message["id"])
            if asked is not None:
                asked["acked"] = True
        elif kind == "error" and message.get("id"):
            if message["code"] != "failed":
                self.pending.pop(message["id"], None)
        elif kind in ORDERED and self.seq is not None and message["seq"] > self.seq:
            self.seq = message["seq"]
            self._fold(kind, message)

    def _greet(self) -> None:
        """After the welcome: say what must hold again, and ask again for what has no answer."""
        self._say({"type": "shift", "on": self.on_shift})
        if self.on_shift:
            self.locate()
        for asked in list(self.pending.values()):
            self.world.seen["asked again"] += 1
            self._say({name: value for name, value in asked.items() if name != "acked"})

    def _fold(self, kind: str, message: Any) -> None:
        order = message.get("order")
        if kind == "shift_changed":
            self.offers.clear()  # those of a shift that begins come anew
        elif kind == "offer":
            self.offers[order["id"]] = order["version"]
            if self.eager:
                self.world.later(self.world.rng.uniform(0.01, 1.2), lambda: self.grab(order["id"]))
        elif kind == "offer_closed":
            self.offers.pop(order, None)
        elif kind == "revoked":
            self.orders.pop(order, None)
        elif kind in ("assigned", "updated"):
            if order["crew"] == self.crew:
                self.offers.pop(order["id"], None)
                if order["state"] in LISTED:
                    self.orders[order["id"]] = order
                    if self.diligent:
                        self.world.later(self.world.rng.uniform(0.2, 1.5), lambda: self.go_on(order["id"]))
                else:
                    self.orders.pop(order["id"], None)
            else:
                self.offers[order["id"]] = order["version"]

    # What it says

    def command(self, message: dict[str, Any]) -> None:
        """Say something that is to be answered; it is said again until it is."""
        self.world.trace(self.crew, "says", message)
        self.pending[message["id"]] = self.asked[message["id"]] = message
        self._say(message)

    def again(self, pick: int) -> None:
        """Say something for the second time that was said before, answered or not."""
        if self.asked:
            message = list(self.asked.values())[pick % len(self.asked)]
            self._say({name: value for name, value in message.items() if name != "acked"})

    def grab(self, order: str) -> None:
        """Ask for an order."""
        self.command({"type": "grab", "id": f"grab-{self.world.number()}", "order": order})

    def decline(self, order: str) -> None:
        """Say no to an order."""
        self.command({"type": "decline", "id": f"decline-{self.world.number()}", "order": order})

    def progress(self, order: str, to: str, reason: str | None = None) -> None:
        """Say how far an order is."""
        at = self.world.now().isoformat()
        word = {"type": "progress", "id": f"to-{self.world.number()}", "order": order, "to": to, "at": at}
        self.command({**word, "reason": reason, "evidence": {"note": "DN20"}} if reason else word)

    def hand_back(self, order: str) -> None:
        """Give an order back."""
        word = {"type": "hand_back", "id": f"back-{self.world.number()}", "order": order, "reason": "too_far"}
        self.command({**word, "at": self.world.now().isoformat()})

    def go_on(self, order: str) -> None:
        """Do what comes next with an order that it holds."""
        known = self.orders.get(order)
        if known is not None and known["state"] in HELD:
            following = {"claimed": "en_route", "en_route": "arrived", "arrived": "resolved"}
            self.progress(order, following[known["state"]])

    def shift(self, on: bool) -> None:
        """Begin or end the shift."""
        self.on_shift = on
        self._say({"type": "shift", "on": on})
        if on:
            self.locate()

    def locate(self) -> None:
        """Say where it is."""
        lon, lat = self.world.somewhere_near(self.crew)
        at = self.world.now().isoformat()
        self._say({"type": "position", "lon": lon, "lat": lat, "accuracy_m": 5.0, "at": at})
