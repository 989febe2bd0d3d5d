/**
 * Everything that the wallboard shows: asked for once, then carried on by the event log. What changes is gathered and shown
 * a few times a second.
 */
import { computed, type ComputedRef, ref } from "vue";

import type { AlarmOut, Board, Endangered, Hours, MeOut, PublicOrder } from "@/api/rest";
import type { Event, Snapshot } from "@/api/sockets";
import { api, type Api } from "@/shared/api";
import { type ConsoleFeed, consoleSession } from "@/shared/console-feed";
import { serverClock, serverNow } from "@/shared/server-time";
import type { LinkState } from "@/shared/session";
import { recall, remember } from "@/shared/storage";

import { runningClocks } from "./clocks";
import { DONE, onShift, shiftsOf } from "./crews";
import { Figures } from "./figures";
import { part } from "./part";
import { keyOf, Rings } from "./rings";
import type { ZoneMap } from "./zone-map";

const GATHER_MS = 250;
const RECOUNT_MS = 10 * 60_000;
const RUNG = "qiangdan.sla.rung";
/** How far ahead "about to breach" looks, s. */
export const AHEAD_S = 600;

export interface Alarms {
  readonly open: AlarmOut[];
  readonly seen: AlarmOut[];
  /** Whether there are more open ones than are shown. */
  readonly more: boolean;
}

export type RescueList = Endangered;
export type Wall = ReturnType<typeof openWall>;

export function openWall(token: string, onRing: (alarms: AlarmOut[]) => void) {
  const server: Api = api(token);
  const orders = new Map<string, PublicOrder>();
  let shifts = new Map<string, boolean>();
  let reported: { seq: number; atMs: number }[] = [];
  let waiting: Event[] = [];
  let figures: Figures | null = null;
  let rings: Rings | null = null;
  const fresh = new Map<string, AlarmOut>();
  /** Grows when something changed; what is shown is computed anew then. */
  const change = ref(0);
  let gathering = false;

  const me = part<MeOut>((signal) => server.get("/me", { signal }));
  const zones = part<ZoneMap>(async (signal) => (await server.get("/zones", { signal })) as ZoneMap);
  const hours = part<Hours>((signal) => server.get("/sla/hours", { signal }));
  const board = part<Board>(askForBoard, { gapMs: 5_000, everyMs: RECOUNT_MS });
  const alarms = part<Alarms>(askForAlarms);
  const rescues = part<Endangered>(
    (signal) => server.get("/sla/endangered", { query: { within_s: AHEAD_S }, signal }),
    { gapMs: 3_000, everyMs: 10_000 },
  );
  const parts = [me, zones, hours, board, alarms, rescues];

  function changed(): void {
    if (gathering) return;
    gathering = true;
    setTimeout(() => {
      gathering = false;
      change.value += 1;
    }, GATHER_MS);
  }

  async function askForBoard(signal: AbortSignal): Promise<Board> {
    const answer = await server.get("/sla/board", { signal });
    const counted = new Figures(answer);
    for (const event of waiting) counted.take(event);
    waiting = waiting.filter((event) => event.seq > answer.seq);
    figures = counted;
    changed();
    return answer;
  }

  async function askForAlarms(signal: AbortSignal): Promise<Alarms> {
    const dayAgo = new Date(serverNow() - 86_400_000).toISOString();
    const [open, seen] = await Promise.all([
      server.get("/sla/alarms", { query: { acknowledged: false, limit: 100 }, signal }),
      server.get("/sla/alarms", { query: { acknowledged: true, from: dayAgo, limit: 30 }, signal }),
    ]);
    for (const alarm of [...open.items, ...seen.items]) fresh.delete(keyOf(alarm));
    ring(open.items);
    changed();
    return { open: open.items, seen: seen.items, more: Boolean(open.next) };
  }

  function ring(told: AlarmOut[]): void {
    const loud = rings?.take(told) ?? [];
    if (rings && loud.length) {
      remember(RUNG, rings.kept);
      onRing(loud);
    }
  }

  const feed: ConsoleFeed = {
    onSnapshot(snapshot: Snapshot) {
      orders.clear();
      for (const order of snapshot.orders ?? []) orders.set(order.id, order);
      shifts = shiftsOf(snapshot.crews ?? []);
      reported = [];
      waiting = [];
      rings = Rings.from(recall(RUNG), snapshot.epoch, Date.parse(snapshot.server_time));
      remember(RUNG, rings.kept);
      for (const one of parts) one.refresh();
      changed();
    },
    onEvent(event: Event) {
      const order = (event.data as { order?: PublicOrder }).order;
      if (event.order && order) {
        if (DONE.has(order.state)) orders.delete(event.order);
        else orders.set(event.order, order);
        waiting.push(event);
        if (figures) {
          figures.take(event);
          if (figures.isIncomplete) board.soon();
        }
        if (waiting.length > 20_000) board.refresh();
      }
      if (event.kind === "order.reported" && order) reported.push({ seq: event.seq, atMs: Date.parse(order.reported_at) });
      else if (event.kind === "zones.replaced") zones.refresh();
      else if (event.kind === "alarm.acknowledged") alarms.soon();
      else if (event.kind === "clock.breached" && order) breach(event, order);
      else if (event.crew && event.kind.startsWith("crew.")) {
        if (event.kind === "crew.added") shifts.set(event.crew, false);
        else if (event.kind === "crew.shift_started") shifts.set(event.crew, true);
        else if (event.kind === "crew.shift_ended") shifts.set(event.crew, false);
      }
      rescues.soon();
      changed();
    },
    onPositions: () => rescues.soon(),
  };

  /** Show an alarm at once, before the list that will hold it is asked for. */
  function breach(event: Event, order: PublicOrder): void {
    const { clock, deadline } = event.data as { clock: string; deadline: string };
    const { zone, category, severity, state, address, crew } = order;
    const alarm: AlarmOut = {
      ...{ order: order.id, clock, deadline, kind: "breached", at: event.at, zone, category, severity, state, address, crew },
      stopped_at: order.clocks[clock]?.stopped_at ?? null,
      notes: [],
    };
    fresh.set(keyOf(alarm), alarm);
    ring([alarm]);
    alarms.soon();
  }

  const session = consoleSession(token, feed);
  const state: ComputedRef<LinkState> = computed(() => session.state.value);

  /** Something computed from what the log told, anew when it changed. */
  function live<T>(compute: () => T): ComputedRef<T> {
    return computed(() => {
      void change.value;
      return compute();
    });
  }

  const shares = computed(() => {
    void change.value;
    return figures && { hour: figures.lastHour(serverClock.value), today: figures.today, week: figures.week, figures };
  });
  const clocks = computed(() => {
    void change.value;
    return runningClocks(orders.values(), serverClock.value);
  });

  const hourly = live(() => {
    const known = hours.value.value;
    if (known === null) return null;
    const later = reported.filter(({ seq }) => seq > known.seq);
    return known.items.map((item) => {
      const from = Date.parse(item.hour);
      const more = later.filter(({ atMs }) => atMs >= from && atMs < from + 3_600_000).length;
      return { ...item, count: item.count + more, ms: from };
    });
  });

  /** Once a second: whether the city's day has changed, so that today is another. */
  function tick(): void {
    const known = board.value.value;
    if (known && !board.isAsking.value && serverNow() >= Date.parse(known.today_until)) {
      board.soon();
      hours.soon();
    }
  }
  const ticking = setInterval(tick, 1_000);

  session.start();

  return {
    server,
    state,
    me,
    zones,
    board,
    hours,
    alarms,
    rescues,
    shares,
    clocks,
    hourly,
    crews: live(() => onShift(shifts, orders.values())),
    openAlarms: live((): AlarmOut[] => {
      const listed = alarms.value.value?.open ?? [];
      const late = [...fresh.values()].filter((alarm) => !listed.some((one) => keyOf(one) === keyOf(alarm)));
      return [...late, ...listed].sort((one, other) => Date.parse(other.at) - Date.parse(one.at));
    }),
    /** Say that an alarm was seen. */
    async acknowledge(alarm: AlarmOut, note: string, key: string): Promise<void> {
      const { clock, deadline, kind } = alarm;
      const body = { clock: clock as "arrival", deadline, kind, note: note.trim() || null };
      await server.post("/orders/{order_id}/acknowledge", { path: { order_id: alarm.order }, body, key });
      alarms.refresh();
    },
    restart: () => session.restart(),
    stop() {
      clearInterval(ticking);
      for (const one of parts) one.stop();
      session.stop();
    },
  };
}
