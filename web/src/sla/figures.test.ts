import { describe, expect, it } from "vitest";

import type { Board, PublicOrder } from "@/api/rest";

import { Figures, gradeOf, none, shareOf, shareText } from "./figures";

const NOW = Date.parse("2026-01-15T02:00:00Z"); // ten in the morning in Harbin
const iso = (ms: number) => new Date(ms).toISOString();

const board = (more: Partial<Board> = {}): Board => ({
  seq: 10,
  epoch: "e",
  at: iso(NOW),
  time_zone: "Asia/Shanghai",
  today_from: "2026-01-14T16:00:00Z",
  today_until: "2026-01-15T16:00:00Z",
  week_from: "2026-01-11T16:00:00Z",
  targets: {},
  today: [],
  week: [],
  arrivals: Array<number>(61).fill(0),
  orders: [],
  ...more,
});

const order = (more: Partial<PublicOrder> = {}, minutesAgo = 5): PublicOrder => {
  const reported = NOW - minutesAgo * 60_000;
  const clock = (minutes: number) => ({ state: "running" as const, started_at: iso(reported), due_at: iso(reported + minutes * 60_000) });
  return {
    id: "o1",
    version: 1,
    state: "offered",
    zone: "z1",
    category: "leak",
    severity: 3,
    location: null,
    address: null,
    crew: null,
    claimed_by: null,
    reported_at: iso(reported),
    clocks: { hand_down: clock(10), arrival: clock(15) },
    ...more,
  };
};

const event = (seq: number, kind: string, of: PublicOrder) => ({ seq, at: iso(NOW), kind, order: of.id, data: { order: of } });

const stopped = (of: PublicOrder, name: "hand_down" | "arrival", state: "met" | "breached"): PublicOrder => ({
  ...of,
  clocks: { ...of.clocks, [name]: { ...of.clocks[name]!, state, stopped_at: iso(NOW) } },
});

describe("figures", () => {
  it("follow an order from its report to the door, each step counted once", () => {
    const figures = new Figures(board());
    const reported = order();
    figures.take(event(11, "order.reported", reported));
    const claimed = { ...stopped(reported, "hand_down", "met"), claimed_by: "grab" as const };
    figures.take(event(12, "order.claimed", claimed));
    figures.take(event(13, "order.en_route", claimed));
    figures.take(event(14, "order.arrived", stopped(claimed, "arrival", "met")));
    const expected = { ...none(), reports: 1, hand_down_met: 1, arrival_met: 1, grab: 1 };
    expect(figures.today.of("z1")).toEqual(expected);
    expect(figures.week.whole()).toEqual(expected);
    expect(figures.lastHour(NOW).of("z1")).toEqual(expected);
    expect(figures.arrivals[5]).toBe(1);
  });

  it("leave out what the board had counted already", () => {
    const figures = new Figures(board({ seq: 20, today: [{ zone: "z1", ...none(), reports: 1 }] }));
    figures.take(event(20, "order.reported", order()));
    expect(figures.today.whole().reports).toBe(1);
    expect(figures.isIncomplete).toBe(false);
  });

  it("take an order out of a zone that it was moved from", () => {
    const row = { order: "o1", zone: "z1", reported_at: order().reported_at, claimed_by: null, hand_down: null, arrival: null, arrival_s: null };
    const figures = new Figures(board({ today: [{ zone: "z1", ...none(), reports: 1 }], orders: [row] }));
    figures.take(event(11, "order.moved", order({ zone: "z2" })));
    expect(figures.today.of("z1").reports).toBe(0);
    expect(figures.today.of("z2").reports).toBe(1);
  });

  it("say that they are incomplete where an order is not known to them", () => {
    const figures = new Figures(board());
    figures.take(event(11, "order.reopened", order({}, 500)));
    expect(figures.isIncomplete).toBe(true);
    expect(figures.today.whole().reports).toBe(0);
  });

  it("are not counted anew for what is said of an order done long ago", () => {
    const figures = new Figures(board());
    figures.take(event(11, "order.closed", order({ state: "closed" }, 500)));
    expect(figures.isIncomplete).toBe(false);
  });

  it("count a clock that is past its deadline as breached before anybody says so, but no paused one", () => {
    const figures = new Figures(board());
    figures.take(event(11, "order.reported", order({}, 12)));
    expect(figures.today.whole().hand_down_breached).toBe(1);
    const late = order({ id: "o2" }, 12);
    const paused = { ...late.clocks.hand_down!, state: "paused" as const, paused_at: iso(NOW) };
    figures.take(event(12, "order.reported", { ...late, clocks: { ...late.clocks, hand_down: paused } }));
    expect(figures.today.whole().hand_down_breached).toBe(1);
  });

  it("let an order leave the last hour, and count yesterday's to the week alone", () => {
    const figures = new Figures(board());
    figures.take(event(11, "order.reported", order({}, 59)));
    figures.take(event(12, "order.reported", order({ id: "o2" }, 24 * 60)));
    expect(figures.lastHour(NOW).whole().reports).toBe(1);
    expect(figures.lastHour(NOW + 61_000).whole().reports).toBe(0);
    expect(figures.today.whole().reports).toBe(1);
    expect(figures.week.whole().reports).toBe(2);
  });
});

describe("a share", () => {
  it("is nothing where nothing is decided, and never a whole where one was late", () => {
    expect(shareOf(none(), "arrival")).toBeNull();
    expect(shareText(null)).toBe("—");
    expect(shareText(1)).toBe("100%");
    expect(shareText(0.999)).toBe("99%");
    expect(shareText(0.001)).toBe("1%");
    expect([null, 0.95, 0.8, 0.5].map(gradeOf)).toEqual(["none", "good", "fair", "poor"]);
  });
});
