/** A dispatcher's desk: the live city, what is looked at, what is marked, and what was just done. */
import { computed, reactive, type Ref, ref, shallowRef, watch } from "vue";

import type { CandidateOut, MeOut } from "@/api/rest";
import { api } from "@/shared/api";
import type { CrewRow, PublicOrder } from "@/shared/console-feed";
import { wordFor } from "@/shared/language";
import { serverClock } from "@/shared/server-time";
import { wire } from "@/shared/wire-words";

import type { Action } from "./actions";
import { Commands, type Proposal } from "./commands";
import { shortId } from "./durations";
import { liveCity } from "./live";
import { type Filter, foundCrews, groupOf, matches, NO_FILTER, sorted, timeLeft, type Words } from "./queue";
import type { Names } from "./story";
import { t } from "./words";

export type View = "queue" | "map" | "crews";
export type Chosen = { readonly kind: "order" | "crew"; readonly id: string };
export type Tab = "story" | "candidates";

export function openDesk(token: string) {
  const live = liveCity(token);
  const me = shallowRef<MeOut | null>(null);
  const view = ref<View>("queue");
  const chosen = shallowRef<Chosen | null>(null);
  const tab = ref<Tab>("candidates");
  const marked = reactive(new Set<string>());
  const filter = ref<Filter>(NO_FILTER);
  const following = ref(false);
  /** What is about to be done, in a dialog that asks for the reason. */
  const proposal = shallowRef<Proposal | null>(null);
  const users = reactive(new Map<string, string>());
  /** The best candidates of the order that is looked at, for the map. */
  const best = shallowRef<readonly CandidateOut[]>([]);
  /** The candidates as they were last seen, by crew: what a drop onto each would bring. */
  const seenCandidates = reactive(new Map<string, CandidateOut>());
  /** Counts up when the last step is to be taken back. */
  const undoAsked = ref(0);
  /** Counts up when the candidates are to get the focus. */
  const askFocus = ref(0);
  /** The order whose place is being pointed out on the map. */
  const placing = ref<string | null>(null);
  /** Whether there is a map to point on; without one a place is given by its coordinates. */
  const hasMap = ref(true);
  /** What was chosen in a list, and is to be shown on the map. */
  const shown = ref<string | null>(null);

  const zoneNames = computed(() => new Map(live.zones.value.features.map(({ properties }) => [properties.id, properties.name])));
  const names: Names = {
    crew: (id) => (id ? (live.city.crews.get(id)?.name ?? shortId(id)) : t.value.nobody),
    zone: (id) => (id ? (zoneNames.value.get(id) ?? id) : t.value.noZone),
    user: (actor) => users.get(actor) ?? null,
    get me() {
      return me.value && me.value.role !== "crew" ? `user:${me.value.subject}` : null;
    },
  };
  const words: Words = { category: (code) => wordFor(wire.value.category, code), zone: names.zone, crew: (id) => (id ? names.crew(id) : "") };
  const commands = new Commands(token, live.city, () => live.flush());

  /** Orders anew once a second with the city, by time left. */
  const orders = computed<PublicOrder[]>(() => {
    void live.turn.value;
    return [...live.city.orders.values()];
  });
  const crews = computed<CrewRow[]>(() => {
    void live.turn.value;
    return [...live.city.crews.values()];
  });
  const queue = computed(() => {
    const now = serverClock.value;
    return sorted(orders.value.filter((order) => matches(order, filter.value, words, live.city.stranded, now)), now);
  });
  const crewList = computed(() => foundCrews(crews.value, filter.value.text, filter.value.zone, words));
  const counts = computed(() => {
    const now = serverClock.value;
    const found = { open: orders.value.length, late: 0, soon: 0, desk: 0, idle: 0, busy: 0 };
    for (const order of orders.value) {
      const { urgency } = timeLeft(order, now);
      if (urgency === "late") found.late += 1;
      if (urgency === "soon") found.soon += 1;
      if (groupOf(order, live.city.stranded) === "desk") found.desk += 1;
    }
    for (const crew of crews.value) if (crew.state !== "off") found[crew.state] += 1;
    return found;
  });

  function choose(next: Chosen | null, show?: Tab): void {
    chosen.value = next;
    shown.value = next?.id ?? null;
    askFocus.value = 0;
    if (show) tab.value = show;
    if (!next) following.value = false;
  }

  /** Keep what is chosen in the middle of the map, or let it go. */
  function follow(): void {
    if (chosen.value) following.value = !following.value;
  }

  /** Show the candidates of what is chosen and put the focus on the best. */
  function askCandidates(): void {
    tab.value = "candidates";
    askFocus.value += 1;
  }

  /** Ask for the reason of an action; the versions are those that the dispatcher sees now. */
  function propose(action: Action, ids: readonly string[], fields: Proposal["fields"] = {}, more: Partial<Proposal> = {}): void {
    const seen = new Map(ids.flatMap((id) => (live.city.orders.get(id) ? [[id, live.city.orders.get(id)!] as const] : [])));
    proposal.value = { action, orders: ids, fields, seen, ...more };
  }

  /** Say where an order is: by pointing on the map, where there is one. */
  function place(id: string): void {
    if (hasMap.value) placing.value = id;
    else propose("move", [id]);
  }

  /** Begin what a key or a button of one order means. */
  function begin(action: Action, id: string): void {
    if (action === "move") place(id);
    else propose(action, [id]);
  }

  function toggle(id: string): void {
    if (!marked.delete(id)) marked.add(id);
  }

  watch(live.turn, () => {
    if (placing.value && !live.city.orders.has(placing.value)) placing.value = null;
    for (const id of marked) if (!live.city.orders.has(id)) marked.delete(id);
  });
  void api(token)
    .get("/me")
    .then((who) => (me.value = who))
    .catch(() => undefined);

  return {
    token, live, city: live.city, me: me as Readonly<Ref<MeOut | null>>, view, chosen, tab, marked, filter, following, proposal, users,
    names, words, commands, orders, crews, queue, crewList, counts, best, seenCandidates, undoAsked, askFocus, placing, hasMap, shown,
    choose, follow, askCandidates, propose, begin, toggle,
  };
}

export type Desk = ReturnType<typeof openDesk>;
