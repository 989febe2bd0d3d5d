/** The console socket as both large screens use it: a snapshot, then every event in order, and positions. */
import type { CrewRow, Event, Fix, FromConsole, PublicOrder, Snapshot, ToConsole } from "@/api/sockets";

import { Session } from "./session";

export type { CrewRow, Event, Fix, PublicOrder, Snapshot };

export interface ConsoleFeed {
  /** Everything, anew; what was known before is void. Not called after a resume. */
  readonly onSnapshot: (snapshot: Snapshot) => void;
  /** One row of the city's log, in order, each once. */
  readonly onEvent: (event: Event) => void;
  /** The newest fix of each crew that moved, at most once a second. */
  readonly onPositions: (fixes: Fix[]) => void;
}

/** A session of the console socket; `start()` it, watch its `state`, `stop()` it at sign-out. */
export function consoleSession(
  token: string,
  feed: ConsoleFeed,
  wanted: { zones?: string[]; bbox?: [number, number, number, number] } = {},
): Session<ToConsole, FromConsole> {
  return new Session<ToConsole, FromConsole>({
    path: "/ws/v1/console",
    opening: "snapshot",
    hello: () => ({ token, ...wanted }),
    onMessage(message) {
      if (message.type === "snapshot") {
        if (!message.resumed) feed.onSnapshot(message);
      } else if (message.type === "event") feed.onEvent(message);
      else if (message.type === "positions") feed.onPositions(message.positions);
    },
  });
}
