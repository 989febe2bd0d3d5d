import { expect, test } from "vitest";

import { DemoDrive } from "./demo-drive";

test("the made-up van drives to the door and stays there", () => {
  const van = new DemoDrive({ lon: 126.6, lat: 45.75 });
  expect(van.after(3)).toEqual({ lon: 126.6, lat: 45.75 });
  const door = { lon: 126.61, lat: 45.75 };
  van.goTo(door);
  const { lon } = van.after(3);
  expect((lon - 126.6) * 111_320 * Math.cos((45.75 * Math.PI) / 180)).toBeCloseTo(360, 0);
  for (let i = 0; i < 5; i += 1) van.after(3);
  expect(van.after(3)).toEqual(door);
});
