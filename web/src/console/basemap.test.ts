import gcoord from "gcoord";
import { describe, expect, it } from "vitest";

import { piecesOf, shiftOf } from "./basemap";

const toGcj = (lon: number, lat: number) => gcoord.transform([lon, lat], gcoord.WGS84, gcoord.GCJ02);

describe("tiles in another datum", () => {
  it("are off by half a kilometre in Harbin, and not at all outside China", () => {
    const z = 15;
    const many = 2 ** z;
    const [x, y] = [Math.floor(((126.63 + 180) / 360) * many), 11719];
    const [east, south] = shiftOf(z, x, y, toGcj);
    const metres = (40_075_016 / many) * Math.cos((45.75 * Math.PI) / 180);
    expect(Math.hypot(east, south) * metres).toBeGreaterThan(400);
    expect(Math.hypot(east, south) * metres).toBeLessThan(700);
    expect(shiftOf(15, 16384, 16384, toGcj)).toEqual([0, 0]);
  });

  it("are put together from their neighbours without a gap", () => {
    expect(piecesOf(5, 7, [0, 0])).toEqual([{ x: 5, y: 7, left: 0, top: 0 }]);
    const pieces = piecesOf(5, 7, [0.25, -0.5]);
    expect(pieces.map(({ x, y }) => [x, y])).toEqual([[5, 6], [5, 7], [6, 6], [6, 7]]);
    expect(pieces[0]).toEqual({ x: 5, y: 6, left: -0.25, top: -0.5 });
    expect(pieces[3]).toEqual({ x: 6, y: 7, left: 0.75, top: 0.5 });
  });
});
