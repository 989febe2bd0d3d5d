import { expect, test } from "vitest";

import type { Hour } from "@/api/rest";

import { restsOn } from "./usual";

const ZONE = "Asia/Shanghai";
const SUNDAY = Date.parse("2026-01-17T16:00:00Z"); // its midnight in Harbin

function hours(of: "weekday" | "all", days: number, count = 24, from = SUNDAY): Hour[] {
  return Array.from({ length: count }, (_, n) => ({
    hour: new Date(from + n * 3_600_000).toISOString(),
    count: 0,
    usual: { p10: 0, p50: 1, p90: 2, days, of },
  }));
}

test("a day is said to be held against its like", () => {
  expect(restsOn(hours("weekday", 4), ZONE)).toBe("近 4 个周日");
});

test("a young city's day is said to be held against every day", () => {
  expect(restsOn(hours("all", 12), ZONE)).toBe("往日 12 天");
});

test("of several days it says that each is held against its like, and where that is not so", () => {
  expect(restsOn(hours("weekday", 4, 48), ZONE)).toBe("同星期 4 天");
  const mixed = [...hours("weekday", 4), ...hours("all", 27, 24, SUNDAY + 86_400_000)];
  expect(restsOn(mixed, ZONE)).toBe("同星期 4 天，不够的按每日 27 天");
});
