/** The queue: which orders, in which order, and how it stands still under a pointer. */
import type { CrewRow, PublicOrder } from "@/shared/console-feed";
import { addressText } from "@/shared/format";

import { WITH_CREW, WITH_DISPATCHER } from "./city";

export type Urgency = "late" | "soon" | "fine" | "none";

/** The clock that runs out first: `left_s` until then, negative past it. */
export interface TimeLeft {
  readonly clock: string | null;
  readonly left_s: number;
  readonly urgency: Urgency;
}

/** The next deadline of an order among the clocks that run; without one it can wait. */
export function timeLeft(order: PublicOrder, nowMs: number): TimeLeft {
  let next: TimeLeft = { clock: null, left_s: Infinity, urgency: "none" };
  for (const [name, clock] of Object.entries(order.clocks)) {
    if (clock.stopped_at || clock.paused_at) continue;
    const left_s = (Date.parse(clock.due_at) - nowMs) / 1000;
    if (left_s >= next.left_s) continue;
    const soon = clock.state === "at_risk" || (clock.at_risk_at ? Date.parse(clock.at_risk_at) <= nowMs : false);
    next = { clock: name, left_s, urgency: left_s <= 0 ? "late" : soon ? "soon" : "fine" };
  }
  return next;
}

export type Group = "desk" | "offered" | "crew";
export const GROUPS: readonly Group[] = ["desk", "offered", "crew"];

/** Whose turn it is: the dispatcher's, whoever grabs it, or the crew that holds it. */
export function groupOf(order: PublicOrder, stranded: ReadonlySet<string>): Group {
  if (WITH_CREW.has(order.state)) return "crew";
  return WITH_DISPATCHER.has(order.state) || stranded.has(order.id) ? "desk" : "offered";
}

export interface Filter {
  /** None chosen means all. */
  readonly groups: readonly Group[];
  readonly severity: number;
  readonly zone: string | null;
  readonly urgent: boolean;
  readonly text: string;
}

export const NO_FILTER: Filter = { groups: [], severity: 1, zone: null, urgent: false, text: "" };

/** What a filter may look at beside the order. */
export interface Words {
  readonly category: (code: string) => string;
  readonly zone: (id: string | null) => string;
  readonly crew: (id: string | null | undefined) => string;
}

export function matches(order: PublicOrder, filter: Filter, words: Words, stranded: ReadonlySet<string>, nowMs: number): boolean {
  if (filter.groups.length && !filter.groups.includes(groupOf(order, stranded))) return false;
  if (order.severity < filter.severity) return false;
  if (filter.zone && order.zone !== filter.zone) return false;
  if (filter.urgent && !["late", "soon"].includes(timeLeft(order, nowMs).urgency)) return false;
  const wanted = filter.text.trim().toLowerCase();
  if (!wanted) return true;
  const said = [order.id, addressText(order.address), words.category(order.category), words.zone(order.zone), words.crew(order.crew)];
  return said.join(" ").toLowerCase().includes(wanted);
}

/** The ids of the orders by time left; equal ones by severity, then by id, so that two looks agree. */
export function sorted(orders: Iterable<PublicOrder>, nowMs: number): string[] {
  return [...orders]
    .map((order) => ({ order, left: timeLeft(order, nowMs).left_s }))
    .sort((a, b) => compare(a.left, b.left) || b.order.severity - a.order.severity || (a.order.id < b.order.id ? -1 : 1))
    .map(({ order }) => order.id);
}

const compare = (a: number, b: number) => (a === b ? 0 : a < b ? -1 : 1);

/** A queue that stands still: every row stays where it was, what came meanwhile waits. */
export function standing(shown: readonly string[], live: readonly string[]): { ids: readonly string[]; waiting: number } {
  const known = new Set(shown);
  return { ids: shown, waiting: live.filter((id) => !known.has(id)).length };
}

/** Which rows of `count` to draw for a scroll position; heights in pixels. */
export function visibleRows(count: number, row: number, top: number, height: number): { from: number; to: number } {
  const spare = 6;
  return { from: Math.max(0, Math.floor(top / row) - spare), to: Math.min(count, Math.ceil((top + height) / row) + spare) };
}

/** Crews that answer a search, those on shift first, the free before the busy, then by name. */
export function foundCrews(crews: Iterable<CrewRow>, text: string, zone: string | null, words: Pick<Words, "zone">): CrewRow[] {
  const wanted = text.trim().toLowerCase();
  const rank = { idle: 0, busy: 1, off: 2 };
  return [...crews]
    .filter((crew) => !zone || crew.home_zone === zone || (crew.zones_lent ?? []).includes(zone))
    .filter((crew) => !wanted || [crew.name, crew.id, words.zone(crew.home_zone), ...crew.skills].join(" ").toLowerCase().includes(wanted))
    .sort((a, b) => rank[a.state] - rank[b.state] || a.name.localeCompare(b.name, "zh") || (a.id < b.id ? -1 : 1));
}
