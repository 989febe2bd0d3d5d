"""A town made over REST for the tests of pages: zones, technicians, users, and residents who report."""

from typing import Any

from dispatch.demo.city import generate_city
from tests.browser.conftest import Served

CITY = generate_city(1)
HOME = CITY.compounds[0]
"""Where the technicians stand and the faults are."""


class Town:
    """Zones and people, with the calls that tests need."""

    def __init__(self, served: Served, policy: dict[str, object] | None = None) -> None:
        self.served = served
        zones = CITY.zones
        if policy is not None:
            features = [{**one, "properties": {**one["properties"], "policy": policy}} for one in zones["features"]]
            zones = {**zones, "features": features}
        served.call("PUT", "/zones", zones)

    def crew(self, name: str = "王师傅", **more: Any) -> tuple[str, str]:
        """Hire a technician; return his id and token."""
        crew = self.served.call(
            "POST", "/crews", {"name": name, "skills": ["pipework"], "home_zone": HOME.zone, "capacity": 3, **more}
        )
        return crew["id"], self.served.call("POST", f"/crews/{crew['id']}/tokens")["token"]

    def user(self, role: str) -> str:
        """Hire a user of a role; return the token."""
        user = self.served.call("POST", "/users", {"name": role, "role": role})
        return str(self.served.call("POST", f"/users/{user['id']}/tokens")["token"])

    def report(self, **more: Any) -> str:
        """Report a leak at `HOME`; return the order's id."""
        body = {
            "channel": "wechat",
            "category": "leak",
            "description": "厨房暖气片漏水",
            "location": {"lon": HOME.lon, "lat": HOME.lat},
            "address": {"text": "松江家园3栋2单元501"},
            "contact": {"name": "李女士", "phone": "13800000000"},
            **more,
        }
        return str(self.served.call("POST", "/reports", body)["order"]["id"])

    def order(self, order: str) -> Any:
        """Return an order with its story."""
        return self.served.call("GET", f"/orders/{order}")

    def photo(self, photo: str) -> bytes:
        """Return a photo of a visit."""
        return self.served.get(f"/photos/{photo}")

    def override(self, order: str, action: str, **more: Any) -> Any:
        """Let the dispatcher say otherwise."""
        return self.served.call("POST", f"/orders/{order}/override", {"action": action, "reason": "顾客改约", **more})
