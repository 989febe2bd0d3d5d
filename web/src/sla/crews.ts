/** Crews by what they do now, from the shifts and the orders that the log tells of. */
import type { CrewRow, PublicOrder } from "@/api/sockets";

export const WITH_CREW: ReadonlySet<string> = new Set(["claimed", "en_route", "arrived"]);
export const DONE: ReadonlySet<string> = new Set(["resolved", "closed", "merged", "cancelled"]);

export interface OnShift {
  readonly idle: number;
  readonly busy: number;
  readonly off: number;
}

export function onShift(shifts: ReadonlyMap<string, boolean>, orders: Iterable<PublicOrder>): OnShift {
  const busy = new Set<string>();
  for (const order of orders) if (order.crew && WITH_CREW.has(order.state)) busy.add(order.crew);
  let [idle, working, off] = [0, 0, 0];
  for (const [crew, isOn] of shifts) {
    if (!isOn) off += 1;
    else if (busy.has(crew)) working += 1;
    else idle += 1;
  }
  return { idle, busy: working, off };
}

export const shiftsOf = (crews: readonly CrewRow[]): Map<string, boolean> =>
  new Map(crews.map((crew) => [crew.id, crew.state !== "off"]));
