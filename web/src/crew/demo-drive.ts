/**
 * In a demo city whoever looks on sits somewhere else: there the technician's van is made up. It stands where the server
 * says, and drives to the order that is under way. Outside a demo the server gives no such place, and GPS alone counts.
 */
import type { Location } from "@/api/sockets";
import { recall, remember } from "@/shared/storage";

const KEY = "qiangdan.crew.demo";
const METRES_PER_S = 120;
const METRES_PER_DEGREE = 111_320;

/** The made-up place, where this phone was opened from a demo's start page and the server still is a demo. */
export async function demoPlace(opened: boolean): Promise<Location | null> {
  if (opened) remember(KEY, "1");
  if (recall(KEY) === null) return null;
  try {
    const answer = await fetch("/demo.json");
    if (answer.status === 200) return ((await answer.json()) as { crew_at: Location | null }).crew_at;
    remember(KEY, null);
  } catch {
    // No server: no place.
  }
  return null;
}

export class DemoDrive {
  private goal: Location | null = null;

  constructor(private at: Location) {}

  goTo(goal: Location | null): void {
    this.goal = goal;
  }

  /** Drive on for some seconds and tell where that leads to. */
  after(seconds: number): Location {
    if (this.goal === null) return this.at;
    const [east, north] = [this.goal.lon - this.at.lon, this.goal.lat - this.at.lat];
    const metres = Math.hypot(east * Math.cos((this.at.lat * Math.PI) / 180), north) * METRES_PER_DEGREE;
    const share = metres === 0 ? 1 : Math.min(1, (METRES_PER_S * seconds) / metres);
    this.at = { lon: this.at.lon + east * share, lat: this.at.lat + north * share };
    return this.at;
  }
}
