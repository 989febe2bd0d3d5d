import { describe, expect, it } from "vitest";

import { followEdit, freshId, labelPlace, type Ring, ringsOf, type ZoneFeatures } from "./zones";

const box = (id: string, west: number, east: number): ZoneFeatures["features"][number] => ({
  type: "Feature",
  properties: { id, name: id },
  geometry: { type: "Polygon", coordinates: [[[west, 0], [east, 0], [east, 1], [west, 1], [west, 0]]] },
});
const two: ZoneFeatures = { type: "FeatureCollection", features: [box("a", 0, 1), box("b", 1, 2)] };
const ringOf = (zones: ZoneFeatures, n: number) => zones.features[n]!.geometry.coordinates[0] as Ring;

describe("an edit of a border", () => {
  it("moves the corner of the neighbour that shares it", () => {
    const moved = followEdit(two, "a", [[0, 0], [1.2, -0.1], [1, 1], [0, 1], [0, 0]]);
    expect(ringOf(moved, 1)).toEqual([[1.2, -0.1], [2, 0], [2, 1], [1, 1], [1.2, -0.1]]);
  });

  it("adds a corner to the neighbour's edge too", () => {
    const added = followEdit(two, "a", [[0, 0], [1, 0], [0.8, 0.5], [1, 1], [0, 1], [0, 0]]);
    expect(ringOf(added, 1)).toEqual([[1, 0], [2, 0], [2, 1], [1, 1], [0.8, 0.5], [1, 0]]);
    expect(ringOf(added, 0)).toContainEqual([0.8, 0.5]);
  });

  it("takes a shared corner away from both, the first of a ring too", () => {
    const added = followEdit(two, "a", [[0, 0], [1, 0], [0.8, 0.5], [1, 1], [0, 1], [0, 0]]);
    const back = followEdit(added, "a", [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]);
    expect(ringOf(back, 1)).toEqual([[1, 0], [2, 0], [2, 1], [1, 1], [1, 0]]);
  });

  it("leaves zones that do not share it alone, as the same objects", () => {
    const moved = followEdit(two, "a", [[-0.5, 0], [1, 0], [1, 1], [0, 1], [-0.5, 0]]);
    expect(moved.features[1]).toBe(two.features[1]);
  });
});

describe("a zone of two parts, one with a hole", () => {
  const hole: Ring = [[4.2, 0.2], [4.8, 0.2], [4.8, 0.8], [4.2, 0.2]];
  const islands: ZoneFeatures["features"][number] = {
    ...box("c", 0, 1),
    geometry: { type: "MultiPolygon", coordinates: [[[[2, 0], [3, 0], [3, 1], [2, 1], [2, 0]]], [[[4, 0], [5, 0], [5, 1], [4, 1], [4, 0]], hole]] },
  };
  const three: ZoneFeatures = { ...two, features: [...two.features, islands] };
  const partsOf = (zones: ZoneFeatures) => zones.features[2]!.geometry.coordinates as Ring[][];

  it("has three rings to change", () => {
    expect(ringsOf(islands.geometry).map(({ at }) => at)).toEqual([{ part: 0, ring: 0 }, { part: 1, ring: 0 }, { part: 1, ring: 1 }]);
  });

  it("moves a corner of its second part and leaves the first and the hole alone", () => {
    const moved = followEdit(three, "c", [[4, 0], [5.5, 0], [5, 1], [4, 1], [4, 0]], { part: 1, ring: 0 });
    expect(partsOf(moved)[1]![0]).toEqual([[4, 0], [5.5, 0], [5, 1], [4, 1], [4, 0]]);
    expect(partsOf(moved)[0]).toEqual(partsOf(three)[0]);
    expect(partsOf(moved)[1]![1]).toEqual(hole);
  });

  it("moves a corner of the hole", () => {
    const moved = followEdit(three, "c", [[4.2, 0.2], [4.9, 0.1], [4.8, 0.8], [4.2, 0.2]], { part: 1, ring: 1 });
    expect(partsOf(moved)[1]![1]).toEqual([[4.2, 0.2], [4.9, 0.1], [4.8, 0.8], [4.2, 0.2]]);
  });

  it("takes its neighbour along where they share a corner", () => {
    const moved = followEdit(three, "c", [[2, -0.5], [3, 0], [3, 1], [2, 1], [2, -0.5]], { part: 0, ring: 0 });
    expect(ringOf(moved, 1)).toContainEqual([2, -0.5]);
  });

  it("changes several corners at once in that ring alone", () => {
    const ring: Ring = [[4, 0.1], [5.5, 0], [5.5, 1], [4, 1], [4, 0.1]];
    const moved = followEdit(three, "c", ring, { part: 1, ring: 0 });
    expect(partsOf(moved)[1]).toEqual([ring, hole]);
    expect(moved.features[1]).toBe(three.features[1]);
  });
});

it("writes a zone's name inside of it, also where it is bent", () => {
  const bent: Ring = [[0, 0], [10, 0], [10, 2], [2, 2], [2, 10], [0, 10], [0, 0]];
  const [lon, lat] = labelPlace({ type: "Polygon", coordinates: [bent] });
  expect(lon < 2 || lat < 2).toBe(true);
});

it("gives parts ids that no zone has", () => {
  expect(freshId("a-1", { ...two, features: [...two.features, box("a-2", 3, 4)] })).toBe("a-3");
});
