/**
 * The wallboard's figures: what the server counted at a position of the event log, carried on by the events after it.
 * Property: figures that have taken every event up to a position equal those that the server counts there.
 */
import type { Board, PublicOrder, Tally, VerdictRow } from "@/api/rest";

import { DONE } from "./crews";

export type Counts = Omit<Tally, "zone">;
export type Verdict = "met" | "breached" | null;

/** What one order counts as. */
export interface Standing {
  readonly zone: string | null;
  readonly reportedMs: number;
  readonly claimedBy: VerdictRow["claimed_by"];
  readonly handDown: Verdict;
  readonly arrival: Verdict;
  readonly arrivalS: number | null;
}

interface Told {
  readonly seq: number;
  readonly at: string;
  readonly kind: string;
  readonly order?: string | null;
  readonly data: { readonly order?: PublicOrder } | object;
}

export const HOUR_MS = 3_600_000;

export const none = (): Counts => ({
  reports: 0,
  hand_down_met: 0,
  hand_down_breached: 0,
  arrival_met: 0,
  arrival_breached: 0,
  grab: 0,
  optimizer: 0,
  dispatcher: 0,
});

export class Tallies {
  private readonly byZone = new Map<string | null, Counts>();

  constructor(rows: readonly Tally[] = []) {
    for (const { zone, ...counts } of rows) this.byZone.set(zone, counts);
  }

  of(zone: string | null): Counts {
    return this.byZone.get(zone) ?? none();
  }

  whole(): Counts {
    const sum = none();
    for (const counts of this.byZone.values()) {
      for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += counts[name];
    }
    return sum;
  }

  count(standing: Standing, sign: 1 | -1): void {
    let counts = this.byZone.get(standing.zone);
    if (counts === undefined) this.byZone.set(standing.zone, (counts = none()));
    counts.reports += sign;
    if (standing.handDown) counts[`hand_down_${standing.handDown}`] += sign;
    if (standing.arrival) counts[`arrival_${standing.arrival}`] += sign;
    if (standing.claimedBy) counts[standing.claimedBy] += sign;
  }

  zones(): (string | null)[] {
    return [...this.byZone.keys()];
  }
}

export class Figures {
  readonly today: Tallies;
  readonly week: Tallies;
  readonly arrivals: number[];
  /** An event came about an order that these figures do not know: they must be counted anew. */
  isIncomplete = false;
  private readonly standings = new Map<string, Standing>();
  private readonly todayMs: number;
  private readonly weekMs: number;

  constructor(readonly board: Board) {
    this.today = new Tallies(board.today);
    this.week = new Tallies(board.week);
    this.arrivals = [...board.arrivals];
    this.todayMs = Date.parse(board.today_from);
    this.weekMs = Date.parse(board.week_from);
    for (const row of board.orders) this.standings.set(row.order, standingOfRow(row));
  }

  /** Take an event of the log; those before the board's position are in it already. */
  take(event: Told): void {
    const order = (event.data as { order?: PublicOrder }).order;
    if (event.seq <= this.board.seq || !event.order || !order) return;
    const known = this.standings.get(event.order);
    if (known === undefined && event.kind !== "order.reported") {
      // Done long ago, and what is said of it since (a rating, a note) changes no verdict. Open again, it may.
      this.isIncomplete ||= !DONE.has(order.state);
      return;
    }
    if (known) this.count(known, -1);
    const standing = standingOf(order, Date.parse(event.at));
    this.standings.set(event.order, standing);
    this.count(standing, 1);
  }

  /** What became of the orders reported in the hour before. */
  lastHour(nowMs: number): Tallies {
    const tallies = new Tallies();
    for (const standing of this.standings.values()) {
      if (standing.reportedMs > nowMs - HOUR_MS) tallies.count(standing, 1);
    }
    return tallies;
  }

  private count(standing: Standing, sign: 1 | -1): void {
    if (standing.reportedMs >= this.weekMs) this.week.count(standing, sign);
    if (standing.reportedMs < this.todayMs) return;
    this.today.count(standing, sign);
    if (standing.arrivalS === null) return;
    const minute = Math.min(Math.max(Math.floor(standing.arrivalS / 60), 0), this.arrivals.length - 1);
    this.arrivals[minute] = (this.arrivals[minute] ?? 0) + sign;
  }
}

function standingOfRow(row: VerdictRow): Standing {
  return {
    zone: row.zone,
    reportedMs: Date.parse(row.reported_at),
    claimedBy: row.claimed_by,
    handDown: row.hand_down,
    arrival: row.arrival,
    arrivalS: row.arrival_s,
  };
}

/** What an order counts as at a moment; the server counts the same way (`clock_verdict`). */
export function standingOf(order: PublicOrder, atMs: number): Standing {
  const arrival = order.clocks.arrival;
  const took =
    arrival?.stopped_at && arrival.state !== "stopped"
      ? (Date.parse(arrival.stopped_at) - Date.parse(arrival.started_at)) / 1000 - (arrival.paused_s ?? 0)
      : null;
  return {
    zone: order.zone,
    reportedMs: Date.parse(order.reported_at),
    claimedBy: order.claimed_by,
    handDown: verdictOfTurns(order, "hand_down", atMs),
    arrival: verdictOfTurns(order, "arrival", atMs),
    arrivalS: took,
  };
}

/** A clock's verdict; a breach of an earlier turn (`arrival#1`) stays one. */
function verdictOfTurns(order: PublicOrder, name: string, atMs: number): Verdict {
  const missed = Object.entries(order.clocks).some(
    ([turn, clock]) => turn.startsWith(`${name}#`) && verdictOf(clock, atMs) === "breached",
  );
  return missed ? "breached" : verdictOf(order.clocks[name], atMs);
}

function verdictOf(clock: PublicOrder["clocks"][string] | undefined, atMs: number): Verdict {
  if (clock === undefined || clock.state === "stopped") return null;
  if (clock.state === "breached") return "breached";
  const endMs = clock.stopped_at ? Date.parse(clock.stopped_at) : atMs;
  if (endMs > Date.parse(clock.due_at) && !clock.paused_at) return "breached";
  return clock.stopped_at ? "met" : null;
}

/** The part met of those decided, null where none is. */
export function shareOf(counts: Counts, clock: "hand_down" | "arrival"): number | null {
  const decided = counts[`${clock}_met`] + counts[`${clock}_breached`];
  return decided ? counts[`${clock}_met`] / decided : null;
}

/** 87 %, and never 100 % where one was late; a dash where nothing is decided. */
export function shareText(share: number | null): string {
  if (share === null) return "—";
  const percent = Math.round(share * 100);
  return `${share < 1 && percent === 100 ? 99 : share > 0 && percent === 0 ? 1 : percent}%`;
}

/** How a share is to be taken: colours go by it, the number always stands beside. */
export function gradeOf(share: number | null): "none" | "good" | "fair" | "poor" {
  if (share === null) return "none";
  return share >= 0.9 ? "good" : share >= 0.75 ? "fair" : "poor";
}
