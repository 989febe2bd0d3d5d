/** Zones as the map and the editor have them: GeoJSON features with an id and a name. */
export type Place = [number, number];
export type Ring = Place[];
export type ZoneGeometry = { type: "Polygon"; coordinates: Ring[] } | { type: "MultiPolygon"; coordinates: Ring[][] };

export interface ZoneFeature {
  type: "Feature";
  id?: string | number;
  properties: { id: string; name: string; policy?: Record<string, unknown> | null; [more: string]: unknown };
  geometry: ZoneGeometry;
}

export interface ZoneFeatures {
  type: "FeatureCollection";
  version?: number;
  features: ZoneFeature[];
}

export const polygonsOf = (geometry: ZoneGeometry): Ring[][] =>
  geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;

export type Bounds = [number, number, number, number];

/** West, south, east, north of many places, null for none. */
export function boundsOf(places: Iterable<Place>): Bounds | null {
  let found: Bounds | null = null;
  for (const [lon, lat] of places) {
    found = found
      ? [Math.min(found[0], lon), Math.min(found[1], lat), Math.max(found[2], lon), Math.max(found[3], lat)]
      : [lon, lat, lon, lat];
  }
  return found;
}

export const boundsOfZones = (zones: ZoneFeatures): Bounds | null =>
  boundsOf(zones.features.flatMap((zone) => polygonsOf(zone.geometry).flat(2) as Place[]));

/** A place inside a zone to write its name at: the middle of its largest part's bounds where that is inside, else a middle of its widest row. */
export function labelPlace(geometry: ZoneGeometry): Place {
  const parts = polygonsOf(geometry);
  const part = parts.reduce((best, one) => (ringArea(one[0]!) > ringArea(best[0]!) ? one : best));
  const [west, south, east, north] = boundsOf(part[0]!)!;
  let best: { place: Place; width: number } = { place: [(west + east) / 2, (south + north) / 2], width: -1 };
  for (const share of [0.5, 0.4, 0.6, 0.3, 0.7]) {
    const lat = south + (north - south) * share;
    const crossings = part.flatMap((ring) => crossingsOf(ring, lat)).sort((a, b) => a - b);
    for (let n = 0; n + 1 < crossings.length; n += 2) {
      const width = crossings[n + 1]! - crossings[n]!;
      if (width > best.width * 1.2) best = { place: [(crossings[n]! + crossings[n + 1]!) / 2, lat], width };
    }
  }
  return best.place;
}

function crossingsOf(ring: Ring, lat: number): number[] {
  const found: number[] = [];
  for (let n = 0; n + 1 < ring.length; n += 1) {
    const [[x1, y1], [x2, y2]] = [ring[n]!, ring[n + 1]!];
    if (y1 > lat !== y2 > lat) found.push(x1 + ((lat - y1) / (y2 - y1)) * (x2 - x1));
  }
  return found;
}

export function ringArea(ring: Ring): number {
  let twice = 0;
  for (let n = 0; n + 1 < ring.length; n += 1) twice += ring[n]![0] * ring[n + 1]![1] - ring[n + 1]![0] * ring[n]![1];
  return Math.abs(twice) / 2;
}

/** The features with every vertex at `from` moved to `to`: neighbours that share a corner stay neighbours. */
export const moveVertex = (zones: ZoneFeatures, from: Place, to: Place): ZoneFeatures =>
  eachRing(zones, (ring) => (ring.some((place) => same(place, from)) ? ring.map((place) => (same(place, from) ? to : place)) : ring));

/** An id that no zone has yet: the given one with a number behind it. */
export function freshId(base: string, zones: ZoneFeatures): string {
  const taken = new Set(zones.features.map((zone) => zone.properties.id));
  const stem = base.replace(/-\d+$/, "");
  for (let n = 2; ; n += 1) if (!taken.has(`${stem}-${n}`)) return `${stem}-${n}`;
}

const TOLERANCE_DEG = 2e-9;
const same = (a: Place, b: Place) => Math.abs(a[0] - b[0]) < TOLERANCE_DEG && Math.abs(a[1] - b[1]) < TOLERANCE_DEG;

/** Which ring of a zone: of which part, and there the border (0) or a hole. */
export interface RingPlace {
  readonly part: number;
  readonly ring: number;
}

/** Every ring of a zone with its place, the borders of all parts and their holes. */
export const ringsOf = (geometry: ZoneGeometry): { at: RingPlace; places: Ring }[] =>
  polygonsOf(geometry).flatMap((rings, part) => rings.map((places, ring) => ({ at: { part, ring }, places })));

/**
 * The zones after one corner of a ring was moved, added or taken away: neighbours that share the corner or the edge
 * follow, so that no gap or overlap comes of it. More than one change at once changes the zone alone.
 */
export function followEdit(zones: ZoneFeatures, id: string, ring: Ring, at: RingPlace = { part: 0, ring: 0 }): ZoneFeatures {
  const zone = zones.features.find(({ properties }) => properties.id === id);
  const old = zone && polygonsOf(zone.geometry)[at.part]?.[at.ring];
  if (!zone || !old) return zones;
  const [before, after] = [open(old), open(ring)];
  const fresh = after.filter((place) => !before.some((old) => same(old, place)));
  const lost = before.filter((place) => !after.some((now) => same(now, place)));
  if (fresh.length === 1 && lost.length === 1) return moveVertex(zones, lost[0]!, fresh[0]!);
  if (fresh.length === 1 && lost.length === 0) {
    const place = after.indexOf(fresh[0]!);
    const [a, b] = [after[(place + after.length - 1) % after.length]!, after[(place + 1) % after.length]!];
    return eachRing(zones, (each) => insertBetween(each, a, b, fresh[0]!));
  }
  if (fresh.length === 0 && lost.length === 1) return eachRing(zones, (each) => without(each, lost[0]!));
  return eachRing(zones, (each) => (each === old ? [...after, after[0]!] : each));
}

const open = (ring: Ring): Ring => (ring.length > 1 && same(ring[0]!, ring[ring.length - 1]!) ? ring.slice(0, -1) : ring);

function eachRing(zones: ZoneFeatures, change: (ring: Ring) => Ring): ZoneFeatures {
  return {
    ...zones,
    features: zones.features.map((zone) => {
      const parts = polygonsOf(zone.geometry);
      const changed = parts.map((part) => part.map(change));
      if (changed.every((part, n) => part.every((ring, m) => ring === parts[n]![m]))) return zone;
      const geometry: ZoneGeometry =
        zone.geometry.type === "Polygon" ? { type: "Polygon", coordinates: changed[0]! } : { type: "MultiPolygon", coordinates: changed };
      return { ...zone, geometry };
    }),
  };
}

function insertBetween(ring: Ring, a: Place, b: Place, place: Place): Ring {
  for (let n = 0; n + 1 < ring.length; n += 1) {
    const [from, to] = [ring[n]!, ring[n + 1]!];
    if ((same(from, a) && same(to, b)) || (same(from, b) && same(to, a))) return [...ring.slice(0, n + 1), place, ...ring.slice(n + 1)];
  }
  return ring;
}

function without(ring: Ring, place: Place): Ring {
  const left = open(ring).filter((one) => !same(one, place));
  return left.length === open(ring).length || left.length < 3 ? ring : [...left, left[0]!];
}
