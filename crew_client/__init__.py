"""The SDK for crews: typed messages over a socket that reconnects and resumes by itself.

    import asyncio
    from crew_client import CrewClient, Offer

    async def main() -> None:
        async with CrewClient("https://dispatch.example", "TOKEN") as crew:
            await crew.shift(True)
            await crew.position(126.63, 45.75, accuracy_m=15)
            async for message in crew:
                if isinstance(message, Offer) and message.eta_s < 600:
                    verdict = await crew.grab(message.order.id)
                    print(message.order.category, "won" if verdict.won else verdict.reason)

    asyncio.run(main())

Read `session` for what a client remembers, `link` for how the connection lives, `errors` for what can go wrong and
`protocol` for the messages. The simulated fleet is in `fleet`, the terminal app in `terminal`.
"""

from crew_client.client import ConnectionState, CrewClient
from crew_client.errors import (
    BadTokenError,
    ClientClosedError,
    CommandRefusedError,
    CrewClientError,
    GaveUpError,
    IncompatibleError,
    ReplacedError,
)
from crew_client.link import Timing
from crew_client.protocol import Evidence, GrabResult, Offer, Order, ProgressAck, ToCrew

__all__ = [
    "BadTokenError",
    "ClientClosedError",
    "CommandRefusedError",
    "ConnectionState",
    "CrewClient",
    "CrewClientError",
    "Evidence",
    "GaveUpError",
    "GrabResult",
    "IncompatibleError",
    "Offer",
    "Order",
    "ProgressAck",
    "ReplacedError",
    "Timing",
    "ToCrew",
]
