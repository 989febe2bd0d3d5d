/** Zones as shapes of a plain drawing: the map of `GET /zones`, laid flat around its middle. */

export interface ZoneMap {
  readonly version: number;
  readonly features: readonly {
    readonly properties: { readonly id: string; readonly name: string };
    readonly geometry:
      | { readonly type: "Polygon"; readonly coordinates: Ring[] }
      | { readonly type: "MultiPolygon"; readonly coordinates: Ring[][] };
  }[];
}

type Ring = readonly (readonly [number, number, ...number[]])[];

export interface Shape {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  /** Where its label goes, and how wide the zone is there. */
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
}

/** What a zone is called; one of an older map by its id. */
export function zoneName(map: ZoneMap | null, id: string | null, none: string): string {
  return id === null ? none : (map?.features.find(({ properties }) => properties.id === id)?.properties.name ?? id);
}

const WIDTH = 1000;
const MARGIN = 6;

/** Draw the zones on a ground of `WIDTH`; at a city's size a cylinder's projection is as good as any. */
export function draw(map: ZoneMap): Drawing {
  const rings = map.features.map(({ geometry }) =>
    geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat(),
  );
  const points = rings.flat(2) as unknown as [number, number][];
  if (!points.length) return { width: WIDTH, height: WIDTH, shapes: [] };
  const [west, east] = extent(points.map(([lon]) => lon));
  const [south, north] = extent(points.map(([, lat]) => lat));
  const squeeze = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const scale = (WIDTH - 2 * MARGIN) / Math.max((east - west) * squeeze, 1e-9);
  const place = ([lon, lat]: readonly [number, number, ...number[]]): [number, number] => [
    MARGIN + (lon - west) * squeeze * scale,
    MARGIN + (north - lat) * scale,
  ];
  const shapes = map.features.map(({ properties }, index) => {
    const placed = rings[index]!.map((ring) => ring.map(place));
    const path = placed.map((ring) => `M${ring.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z`).join("");
    return { id: properties.id, name: properties.name, path, ...middle(placed) };
  });
  return { width: WIDTH, height: (north - south) * scale + 2 * MARGIN, shapes };
}

function extent(values: readonly number[]): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  return [least, most];
}

/** The middle of the largest ring by its area, and its width. */
function middle(rings: readonly (readonly [number, number])[][]): { x: number; y: number; width: number } {
  let best = { x: 0, y: 0, width: 0, area: -1 };
  for (const ring of rings) {
    let [twice, x, y] = [0, 0, 0];
    for (let n = 0; n + 1 < ring.length; n += 1) {
      const [[x1, y1], [x2, y2]] = [ring[n]!, ring[n + 1]!];
      const cross = x1 * y2 - x2 * y1;
      twice += cross;
      x += (x1 + x2) * cross;
      y += (y1 + y2) * cross;
    }
    if (Math.abs(twice) <= best.area) continue;
    const [left, right] = extent(ring.map(([at]) => at));
    best = { x: x / (3 * twice || 1), y: y / (3 * twice || 1), width: right - left, area: Math.abs(twice) };
  }
  return { x: best.x, y: best.y, width: best.width };
}
