/** Which alarms this screen has rung for: each breach rings once, also across a reload. */

export interface AlarmKey {
  readonly order: string;
  readonly clock: string;
  readonly deadline: string;
  readonly at: string;
}

/** What is kept on the device: alarms before `fromMs` are silent, and these have rung (with their times, ms). */
interface Rung {
  readonly epoch: string;
  fromMs: number;
  keys: Record<string, number>;
}

/** How much later than another an alarm may be told that fired before it. */
const SLACK_MS = 60_000;

export const keyOf = (alarm: Pick<AlarmKey, "order" | "clock" | "deadline">): string =>
  `${alarm.order}|${alarm.clock}|${Date.parse(alarm.deadline)}`;

export class Rings {
  private constructor(private readonly rung: Rung) {}

  /** Go on from what is kept; a screen that never rang, or belonged to another log, begins at `serverMs`. */
  static from(kept: string | null, epoch: string, serverMs: number): Rings {
    try {
      const rung = JSON.parse(kept ?? "null") as Rung | null;
      if (rung?.epoch === epoch && Number.isFinite(rung.fromMs) && typeof rung.keys === "object") return new Rings(rung);
    } catch {
      // Not ours: begin anew.
    }
    return new Rings({ epoch, fromMs: serverMs, keys: {} });
  }

  /** Return those that have not rung, and count them as rung. */
  take<T extends AlarmKey>(alarms: readonly T[]): T[] {
    const { rung } = this;
    const fresh = alarms.filter((alarm) => Date.parse(alarm.at) >= rung.fromMs && !(keyOf(alarm) in rung.keys));
    for (const alarm of fresh) rung.keys[keyOf(alarm)] = Date.parse(alarm.at);
    rung.fromMs = Math.max(rung.fromMs, ...fresh.map((alarm) => Date.parse(alarm.at) - SLACK_MS));
    rung.keys = Object.fromEntries(Object.entries(rung.keys).filter(([, atMs]) => atMs >= rung.fromMs));
    return fresh;
  }

  get kept(): string {
    return JSON.stringify(this.rung);
  }
}
