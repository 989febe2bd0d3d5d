/** The city as it lives: the socket fills it, and what is shown follows: what has happened soon, moves once a second. */
import { onScopeDispose, type Ref, ref, shallowRef } from "vue";

import type { CrewOut } from "@/api/rest";
import { api, Problem } from "@/shared/api";
import { consoleSession } from "@/shared/console-feed";
import { type LinkState } from "@/shared/session";

import { City } from "./city";
import { type Replans, replansOf } from "./replans";
import type { ZoneFeatures } from "./zones";

/** Moves are shown once in so long. */
const MOVES_MS = 1000;
/** What has happened waits for no moves: within a second of its commit it is on the screen. */
const EVENTS_MS = 600;
/** With more orders and crews than this, drawing them is the work: everything once a second. */
const CROWD = 1000;

export interface Live {
  readonly city: City;
  /** Counts up when what is shown is to be looked at anew. */
  readonly turn: Readonly<Ref<number>>;
  readonly zones: Readonly<Ref<ZoneFeatures>>;
  readonly link: Readonly<Ref<LinkState>>;
  /** Whether anything was ever shown. */
  readonly loaded: Readonly<Ref<boolean>>;
  /** The map could not be read; it is tried again with the next connection. */
  readonly zonesProblem: Readonly<Ref<unknown>>;
  /** What the plan proposes and a person decides. */
  readonly replans: Replans;
  readonly restart: () => void;
  readonly stop: () => void;
  /** Show at once what has come. */
  readonly flush: () => void;
}

const NO_ZONES: ZoneFeatures = { type: "FeatureCollection", version: 0, features: [] };

export function liveCity(token: string): Live {
  const city = new City();
  const turn = ref(0);
  const loaded = ref(false);
  const zones = shallowRef<ZoneFeatures>(NO_ZONES);
  const zonesProblem = shallowRef<unknown>(null);
  let due: ReturnType<typeof setTimeout> | undefined;
  let dueAt = Infinity;
  let shownAt = -Infinity;
  let eventsShownAt = -Infinity;
  let heard = false;

  const flush = () => {
    clearTimeout(due);
    dueAt = Infinity;
    shownAt = performance.now();
    if (heard) eventsShownAt = shownAt;
    heard = false;
    turn.value += 1;
  };
  const showAt = (at: number) => {
    if (at >= dueAt) return;
    clearTimeout(due);
    dueAt = at;
    due = setTimeout(flush, Math.max(0, at - performance.now()));
  };
  const gatherMoves = () => showAt(shownAt + MOVES_MS);
  const gatherEvents = () => {
    heard = true;
    const isCrowd = city.orders.size + city.crews.size > CROWD;
    showAt(eventsShownAt + (isCrowd ? MOVES_MS : EVENTS_MS));
  };

  async function readZones(): Promise<void> {
    try {
      zones.value = (await api(token).get("/zones")) as unknown as ZoneFeatures;
      zonesProblem.value = null;
    } catch (problem) {
      zonesProblem.value = problem;
    }
  }

  const replans = replansOf(token);

  let naming: Promise<void> | null = null;
  /** Names are not in the log: read the crews again, once for many changes. */
  function readCrews(): void {
    naming ??= new Promise((resolve) => setTimeout(resolve, 300))
      .then(async () => {
        naming = null;
        city.renew(await everyCrew(token));
        gatherEvents();
      })
      .catch((problem: unknown) => {
        if (!(problem instanceof Problem)) throw problem;
      });
  }

  const session = consoleSession(token, {
    onSnapshot(snapshot) {
      city.load(snapshot);
      loaded.value = true;
      void readZones();
      replans.read();
      flush();
    },
    onEvent(event) {
      const touched = city.fold(event);
      replans.hear(event);
      if (touched === "zones") void readZones();
      if (touched === "crews") readCrews();
      gatherEvents();
    },
    onPositions(fixes) {
      city.move(fixes);
      gatherMoves();
    },
  });
  session.start();
  const stop = () => {
    clearTimeout(due);
    session.stop();
  };
  onScopeDispose(stop);
  return { city, turn, zones, link: session.state, loaded, zonesProblem, replans, restart: () => session.restart({ afresh: true }), stop, flush };
}

async function everyCrew(token: string): Promise<CrewOut[]> {
  const crews: CrewOut[] = [];
  let cursor: string | undefined;
  do {
    const page = await api(token).get("/crews", { query: { limit: 500, ...(cursor ? { cursor } : {}) } });
    crews.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor);
  return crews;
}
