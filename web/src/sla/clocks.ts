/** The clocks of open orders: what runs, what is late, by time left. */
import type { PublicOrder } from "@/api/sockets";

export type Standing = "running" | "at_risk" | "breached" | "paused";

export interface RunningClock {
  readonly key: string;
  readonly order: PublicOrder;
  readonly clock: string;
  readonly state: Standing;
  readonly dueMs: number;
  /** What is left; of a paused clock, what was left when it stopped. */
  readonly leftS: number;
}

/** The clocks on which a resident waits: what a screen shows by default, the others last a day. */
export const SHORT: ReadonlySet<string> = new Set(["hand_down", "arrival", "transfer"]);

export function runningClocks(orders: Iterable<PublicOrder>, nowMs: number): RunningClock[] {
  const clocks: RunningClock[] = [];
  for (const order of orders) {
    for (const [name, clock] of Object.entries(order.clocks)) {
      if (clock.stopped_at || clock.state === "met" || clock.state === "stopped") continue;
      const dueMs = Date.parse(clock.due_at);
      const leftS = (dueMs - (clock.paused_at ? Date.parse(clock.paused_at) : nowMs)) / 1000;
      const isLate = clock.state === "breached" || (!clock.paused_at && leftS <= 0);
      const isNear = clock.state === "at_risk" || (clock.at_risk_at && Date.parse(clock.at_risk_at) <= nowMs);
      const state = isLate ? "breached" : clock.paused_at ? "paused" : isNear ? "at_risk" : "running";
      clocks.push({ key: `${order.id}|${name}`, order, clock: name, state, dueMs, leftS });
    }
  }
  return clocks.sort((one, other) => one.dueMs - other.dueMs || (one.key < other.key ? -1 : 1));
}

/** Those that run out within so many seconds and can still be met. */
export const endangered = (clocks: readonly RunningClock[], withinS: number): RunningClock[] =>
  clocks.filter(({ state, leftS }) => (state === "running" || state === "at_risk") && leftS > 0 && leftS <= withinS);
