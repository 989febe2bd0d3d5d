import { describe, expect, it } from "vitest";

import type { PublicOrder } from "@/shared/console-feed";

import { matches, NO_FILTER, sorted, standing, timeLeft, visibleRows } from "./queue";

const NOW = Date.parse("2026-01-01T08:00:00Z");
const at = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString();
type Clocks = PublicOrder["clocks"];
const running = (due: number, more: object = {}) => ({ state: "running", started_at: at(-5), due_at: at(due), at_risk_at: at(due - 2), ...more }) as Clocks[string];
const order = (id: string, clocks: Clocks, more: Partial<PublicOrder> = {}): PublicOrder => ({
  id, version: 1, state: "offered", zone: "z", category: "leak", severity: 2, location: null, address: { text: "松江家园" }, crew: null,
  claimed_by: null, reported_at: at(-5), clocks, ...more,
});
const words = { category: () => "漏水", zone: () => "道里", crew: (id: string | null | undefined) => (id ? "王师傅" : "") };

describe("what is left of an order's time", () => {
  it("is the clock that runs out first; stopped and paused ones do not count", () => {
    const clocks = { hand_down: running(1, { stopped_at: at(-1), state: "met" }), arrival: running(9), resolve: running(3, { paused_at: at(-1) }) };
    expect(timeLeft(order("a", clocks), NOW)).toEqual({ clock: "arrival", left_s: 540, urgency: "fine" });
  });

  it("is soon at risk, late past its end, and nothing where no clock runs", () => {
    expect(timeLeft(order("a", { arrival: running(1) }), NOW).urgency).toBe("soon");
    expect(timeLeft(order("a", { arrival: running(-1) }), NOW)).toMatchObject({ urgency: "late", left_s: -60 });
    expect(timeLeft(order("a", {}), NOW).clock).toBeNull();
  });
});

describe("the queue", () => {
  it("has the least time first, equal times by severity, no clock last", () => {
    const orders = [order("none", {}), order("mild", { arrival: running(3) }), order("bad", { arrival: running(3) }, { severity: 5 }), order("late", { arrival: running(-9) })];
    expect(sorted(orders, NOW)).toEqual(["late", "bad", "mild", "none"]);
  });

  it("stands still: gone rows stay, new ones wait and are counted", () => {
    expect(standing(["a", "b"], ["c", "b"])).toEqual({ ids: ["a", "b"], waiting: 1 });
  });

  it("is filtered by whose turn it is, severity, zone, urgency and words", () => {
    const held = order("o", { arrival: running(1) }, { state: "held" });
    const passes = (filter: Partial<typeof NO_FILTER>) => matches(held, { ...NO_FILTER, ...filter }, words, new Set(), NOW);
    expect([passes({}), passes({ groups: ["desk"] }), passes({ groups: ["crew"] }), passes({ severity: 3 }), passes({ zone: "y" })]).toEqual([true, true, false, false, false]);
    expect([passes({ urgent: true }), passes({ text: "松江" }), passes({ text: "王师傅" })]).toEqual([true, true, false]);
  });

  it("draws the rows in sight and a few around them", () => {
    expect(visibleRows(1000, 60, 6000, 600)).toEqual({ from: 94, to: 116 });
    expect(visibleRows(3, 60, 0, 600)).toEqual({ from: 0, to: 3 });
  });
});
