/** Coordinates as people copy them from a map: two numbers, in either order where that can be told. Pure. */
import type { Place } from "./zones";

const PAIR = /^\D*?(-?\d+(?:\.\d+)?)[^\d.-]+(-?\d+(?:\.\d+)?)\D*$/;

/** Longitude and latitude in a text, null where it has none. What cannot be a latitude is the longitude. */
export function placeIn(text: string): Place | null {
  const found = PAIR.exec(text.trim());
  if (!found) return null;
  const [first, second] = [Number(found[1]), Number(found[2])];
  const place: Place = Math.abs(second) > 90 ? [second, first] : [first, second];
  return Math.abs(place[0]) <= 180 && Math.abs(place[1]) <= 90 ? place : null;
}
