import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { nextTick, ref } from "vue";

import { Problem } from "@/shared/api";

import { addDays, dayOf, mondayOf, shortTime, startOfDay, timeOf } from "./city-time";
import { endangered, runningClocks } from "./clocks";
import { onShift } from "./crews";
import { part } from "./part";
import { Rings } from "./rings";
import { steady } from "./steady";
import { draw } from "./zone-map";

const alarm = (order: string, at: string) => ({ order, clock: "arrival", deadline: at, at });

describe("the bell", () => {
  const START = Date.parse("2026-01-15T08:00:00Z");

  it("rings once for a breach, and not again after a reload", () => {
    const rings = Rings.from(null, "e", START);
    const breach = alarm("o1", "2026-01-15T08:00:05.123456Z");
    expect(rings.take([breach])).toEqual([breach]);
    expect(rings.take([breach])).toEqual([]);
    expect(Rings.from(rings.kept, "e", START + 99_000).take([breach])).toEqual([]);
  });

  it("is silent about what was there before the screen was first opened", () => {
    expect(Rings.from(null, "e", START).take([alarm("o1", "2026-01-15T07:59:59Z")])).toEqual([]);
  });

  it("rings after a reload for what happened meanwhile, and for two of one moment", () => {
    const rings = Rings.from(null, "e", START);
    rings.take([alarm("o1", "2026-01-15T08:00:05Z")]);
    const later = [alarm("o2", "2026-01-15T08:00:05Z"), alarm("o3", "2026-01-15T08:10:00Z")];
    expect(Rings.from(rings.kept, "e", START + 900_000).take(later)).toEqual(later);
  });

  it("begins anew with another log, or where what is kept cannot be read", () => {
    const old = alarm("o1", "2026-01-15T07:00:00Z");
    for (const kept of [Rings.from(null, "other", 0).kept, "{", '{"epoch":"e"}', "7"]) {
      expect(Rings.from(kept, "e", START).take([old])).toEqual([]);
    }
  });
});

describe("the city's time", () => {
  const ZONE = "Asia/Shanghai";
  it("has its own midnight, whatever the device's is", () => {
    const ms = Date.parse("2026-01-14T16:30:00Z");
    expect(dayOf(ms, ZONE)).toBe("2026-01-15");
    expect(timeOf(ms, ZONE)).toBe("00:30");
    expect(timeOf(ms, ZONE, true)).toBe("00:30:00");
    expect(startOfDay("2026-01-15", ZONE)).toBe(Date.parse("2026-01-14T16:00:00Z"));
    expect(shortTime(ms, ms + 86_400_000, ZONE)).toBe("01-15 00:30");
  });

  it("knows days on which the clocks change", () => {
    expect(startOfDay("2026-03-30", "Europe/Berlin") - startOfDay("2026-03-29", "Europe/Berlin")).toBe(23 * 3_600_000);
  });

  it("counts weeks from Monday", () => {
    expect(mondayOf("2026-01-18")).toBe("2026-01-12");
    expect(mondayOf("2026-01-12")).toBe("2026-01-12");
    expect(addDays("2026-02-28", 1)).toBe("2026-03-01");
  });
});

describe("running clocks", () => {
  const NOW = Date.parse("2026-01-15T08:00:00Z");
  const at = (s: number) => new Date(NOW + s * 1000).toISOString();
  const clock = (due: number, more: object = {}) => ({ state: "running", started_at: at(-600), due_at: at(due), ...more });
  const order = (id: string, clocks: object) => ({ id, clocks, state: "claimed", crew: "c1" }) as never;

  it("come by time left, paused ones with what was left, stopped ones not at all", () => {
    const found = runningClocks(
      [
        order("a", { arrival: clock(300), hand_down: clock(100, { state: "met", stopped_at: at(-1) }) }),
        order("b", { arrival: clock(-30) }),
        order("c", { arrival: clock(200, { state: "paused", paused_at: at(-100) }) }),
        order("d", { arrival: clock(60, { at_risk_at: at(-5) }) }),
      ],
      NOW,
    );
    expect(found.map(({ key, state, leftS }) => [key, state, leftS])).toEqual([
      ["b|arrival", "breached", -30],
      ["d|arrival", "at_risk", 60],
      ["c|arrival", "paused", 300],
      ["a|arrival", "running", 300],
    ]);
    expect(endangered(found, 100).map(({ key }) => key)).toEqual(["d|arrival"]);
  });

  it("tell who of those on shift is busy", () => {
    const shifts = new Map([["c1", true], ["c2", true], ["c3", false]]);
    expect(onShift(shifts, [order("a", {})])).toEqual({ idle: 1, busy: 1, off: 1 });
  });
});

describe("a list under a finger", () => {
  it("keeps its rows where they are, lets go of those that are gone, and counts the new", async () => {
    const rows = ref(["a", "b", "c"]);
    const { shown, waiting, isHeld } = steady(rows, (row) => row);
    isHeld.value = true;
    rows.value = ["new", "c", "a"];
    await nextTick();
    expect(shown.value).toEqual(["a", "c"]);
    expect(waiting.value).toBe(1);
    isHeld.value = false;
    expect(shown.value).toEqual(["new", "c", "a"]);
  });
});

describe("a part of the board", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("keeps its last answer while the server is away, says why, and comes back by itself", async () => {
    const answers: (number | Problem)[] = [1, new Problem(0, "unreachable", "away"), 2];
    const one = part(() => {
      const answer = answers.shift()!;
      return typeof answer === "number" ? Promise.resolve(answer) : Promise.reject(answer);
    });
    one.refresh();
    await vi.advanceTimersByTimeAsync(0);
    expect([one.value.value, one.problem.value]).toEqual([1, null]);
    one.refresh();
    await vi.advanceTimersByTimeAsync(0);
    expect([one.value.value, (one.problem.value as Problem).code]).toEqual([1, "unreachable"]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect([one.value.value, one.problem.value]).toEqual([2, null]);
  });

  it("asks once more after an answer that was under way when something changed, and not for every change", async () => {
    let asked = 0;
    const one = part(() => Promise.resolve((asked += 1)), { gapMs: 1_000 });
    one.refresh();
    one.soon();
    one.soon();
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toBe(2);
    for (let n = 0; n < 50; n += 1) one.soon();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked).toBe(3);
    one.stop();
  });
});

describe("the drawing of the zones", () => {
  const square = (west: number, side = 0.01) => [
    [
      [west, 45.7],
      [west + side, 45.7],
      [west + side, 45.7 + side],
      [west, 45.7 + side],
      [west, 45.7],
    ] as [number, number][],
  ];
  const feature = (id: string, geometry: object) => ({ properties: { id, name: id }, geometry }) as never;

  it("keeps north up, west left, and a square as tall as it is on the ground", () => {
    const { shapes, width, height } = draw({
      version: 1,
      features: [
        feature("west", { type: "Polygon", coordinates: square(126.6) }),
        feature("east", { type: "MultiPolygon", coordinates: [square(126.61), square(126.63, 0.001)] }),
      ],
    });
    const [west, east] = shapes;
    expect(west!.x).toBeLessThan(east!.x);
    expect(east!.x).toBeLessThan(width * 0.7); // in the larger part
    expect(height / width).toBeGreaterThan(0.3);
    expect(west!.path).toMatch(/^M6\.0 /);
  });

  it("is empty where there is no zone", () => {
    expect(draw({ version: 0, features: [] }).shapes).toEqual([]);
  });
});
