import { expect, test } from "vitest";

import { navigationLink } from "./navigation";

const place = { lon: 126.63, lat: 45.75 };

test("Amap is given the place in its own datum", () => {
  const link = new URL(navigationLink(place, "松江家园 3栋", "Mozilla/5.0 (Linux; Android 14)"));
  const [lon, lat] = [Number(link.searchParams.get("dlon")), Number(link.searchParams.get("dlat"))];
  const metres = Math.hypot((lon - place.lon) * 111_320 * Math.cos((lat * Math.PI) / 180), (lat - place.lat) * 111_320);
  expect(metres).toBeGreaterThan(450);
  expect(metres).toBeLessThan(750);
  expect(link.searchParams.get("dname")).toBe("松江家园 3栋");
});

test("each kind of phone has its own address, and a computer a plain one", () => {
  expect(navigationLink(place, "a", "Android")).toMatch(/^amapuri:/);
  expect(navigationLink(place, "a", "iPhone")).toMatch(/^iosamap:/);
  expect(navigationLink(place, "a", "X11")).toBe("geo:45.750000,126.630000");
});
