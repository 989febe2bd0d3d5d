/** From the city to what the map draws: plain GeoJSON, made at most once a second. Pure. */
import type { CrewRow, PublicOrder } from "@/shared/console-feed";

import { WITH_CREW } from "./city";
import { timeLeft } from "./queue";
import { labelPlace, type ZoneFeatures } from "./zones";

/** A fix older than this says little about where somebody is. */
export const STALE_MS = 180_000;

export interface Drawn {
  type: "FeatureCollection";
  features: { type: "Feature"; id?: number; properties: Record<string, unknown>; geometry: { type: string; coordinates: unknown } }[];
}

const point = (lon: number, lat: number) => ({ type: "Point", coordinates: [lon, lat] });

export function drawnOrders(orders: Iterable<PublicOrder>, nowMs: number): Drawn {
  const features: Drawn["features"] = [];
  for (const order of orders) {
    if (!order.location) continue;
    const { urgency } = timeLeft(order, nowMs);
    const look = urgency === "late" || urgency === "soon" ? urgency : "calm";
    const hand = WITH_CREW.has(order.state) ? "hand" : "open";
    features.push({
      type: "Feature",
      properties: {
        id: order.id,
        icon: `order-${order.severity}-${look}-${hand}`,
        // Drawn last is on top: the severe, then the late.
        rank: order.severity * 3 + { late: 2, soon: 1, calm: 0 }[look],
        pressing: look !== "calm" || order.severity >= 4,
      },
      geometry: point(order.location.lon, order.location.lat),
    });
  }
  return { type: "FeatureCollection", features };
}

export const isStale = (crew: CrewRow, nowMs: number): boolean => !crew.position_at || nowMs - Date.parse(crew.position_at) > STALE_MS;

export function drawnCrews(crews: Iterable<CrewRow>, nowMs: number): Drawn {
  const features: Drawn["features"] = [];
  for (const crew of crews) {
    if (!crew.position || crew.state === "off") continue;
    features.push({
      type: "Feature",
      properties: {
        id: crew.id,
        icon: `crew-${crew.state}-${isStale(crew, nowMs) ? "stale" : "fresh"}`,
        label: `${crew.name}${crew.load ? ` ${crew.load}` : ""}`,
      },
      geometry: point(crew.position.lon, crew.position.lat),
    });
  }
  return { type: "FeatureCollection", features };
}

export interface ZoneLoad {
  orders: number;
  idle: number;
}

/** How many open orders without a crew, and how many idle crews, each zone has; lent crews count where they are lent to. */
export function zoneLoads(orders: Iterable<PublicOrder>, crews: Iterable<CrewRow>): Map<string, ZoneLoad> {
  const loads = new Map<string, ZoneLoad>();
  const of = (zone: string) => {
    const load = loads.get(zone) ?? { orders: 0, idle: 0 };
    loads.set(zone, load);
    return load;
  };
  for (const order of orders) if (order.zone && !WITH_CREW.has(order.state)) of(order.zone).orders += 1;
  for (const crew of crews) {
    if (crew.state !== "idle") continue;
    for (const zone of new Set([crew.home_zone, ...(crew.zones_lent ?? [])])) if (zone) of(zone).idle += 1;
  }
  return loads;
}

/** 0 nothing waits, 1 there are crews for it, 2 just so, 3 more orders than idle crews. */
export function strain(load: ZoneLoad | undefined): 0 | 1 | 2 | 3 {
  if (!load?.orders) return 0;
  if (load.orders > load.idle) return 3;
  return load.orders === load.idle ? 2 : 1;
}

export function drawnZones(zones: ZoneFeatures, loads: ReadonlyMap<string, ZoneLoad>, text: (load: ZoneLoad) => string): { areas: Drawn; labels: Drawn } {
  const areas: Drawn["features"] = [];
  const labels: Drawn["features"] = [];
  for (const { properties, geometry } of zones.features) {
    const load = loads.get(properties.id) ?? { orders: 0, idle: 0 };
    const told = { id: properties.id, name: properties.name, strain: strain(load), load: text(load) };
    areas.push({ type: "Feature", properties: told, geometry });
    labels.push({ type: "Feature", properties: told, geometry: { type: "Point", coordinates: labelPlace(geometry) } });
  }
  return { areas: { type: "FeatureCollection", features: areas }, labels: { type: "FeatureCollection", features: labels } };
}
