import { describe, expect, it } from "vitest";

import { placeIn } from "./coordinates";

describe("coordinates that somebody pastes", () => {
  it.each(["126.63, 45.75", "126.63，45.75", " 126.63 45.75 ", "45.75,126.63", "经度126.63 纬度45.75"])("are found in %s", (text) => {
    expect(placeIn(text)).toEqual([126.63, 45.75]);
  });

  it.each(["", "126.63", "松江家园3栋", "200, 91", "1,2,3"])("are not made up of %s", (text) => {
    expect(placeIn(text)).toBeNull();
  });
});
