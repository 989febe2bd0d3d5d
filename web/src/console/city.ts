/** The city as the console knows it: one snapshot, and every event of the log folded into it. No DOM, no network. */
import type { CrewRow, Event, Fix, PublicOrder, Snapshot } from "@/shared/console-feed";

export const WITH_CREW: ReadonlySet<string> = new Set(["claimed", "en_route", "arrived"]);
export const WITH_DISPATCHER: ReadonlySet<string> = new Set(["unzoned", "held", "suspended", "transferred"]);
const GONE: ReadonlySet<string> = new Set(["resolved", "closed", "merged", "cancelled"]);

/** What an order's last event was: who changed what, and when. */
export interface Change {
  readonly version: number;
  readonly kind: string;
  readonly at: string;
  readonly actor: string;
  readonly crew: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** How many past changes of an order are kept to explain a collision. */
const KEPT_CHANGES = 8;
/** Orders that are done are remembered for a while: a row under the pointer says what became of it. */
const KEPT_GONE = 200;

export class City {
  readonly orders = new Map<string, PublicOrder>();
  readonly crews = new Map<string, CrewRow>();
  /** Orders that were open and are not any more, the newest last. */
  readonly gone = new Map<string, PublicOrder>();
  readonly stranded = new Set<string>();
  seq = 0;
  private readonly changes = new Map<string, Change[]>();
  private readonly held = new Map<string, Set<string>>();

  load(snapshot: Snapshot): void {
    for (const map of [this.orders, this.crews, this.gone, this.changes, this.held]) map.clear();
    this.stranded.clear();
    this.seq = snapshot.seq;
    for (const crew of snapshot.crews ?? []) this.crews.set(crew.id, crew);
    for (const order of snapshot.orders ?? []) {
      this.orders.set(order.id, order);
      this.index(order, 1);
    }
  }

  /** Fold one event; what it was about is in the answer: `crews` asks to read their names anew, `zones` the map. */
  fold(event: Event): "order" | "crews" | "zones" | null {
    this.seq = event.seq;
    if (event.order) {
      this.foldOrder(event, event.order);
      return "order";
    }
    if (event.crew) return this.foldCrew(event, event.crew);
    return event.kind === "zones.replaced" ? "zones" : null;
  }

  move(fixes: readonly Fix[]): void {
    for (const fix of fixes) {
      const crew = this.crews.get(fix.crew);
      if (crew && crew.state !== "off" && !(crew.position_at && crew.position_at > fix.at)) {
        this.crews.set(crew.id, { ...crew, position: { lon: fix.lon, lat: fix.lat }, position_at: fix.at });
      }
    }
  }

  /** Replace what is known of crews by a fresh list; loads stay ours, since they follow the log. */
  renew(crews: readonly CrewRow[]): void {
    for (const crew of crews) {
      const known = this.crews.get(crew.id);
      this.crews.set(crew.id, known ? { ...crew, load: known.load, state: known.state, position: known.position, position_at: known.position_at, shift_since: known.shift_since } : crew);
    }
  }

  /** The orders on a crew's list. */
  heldBy(crew: string): PublicOrder[] {
    return [...(this.held.get(crew) ?? [])].flatMap((id) => this.orders.get(id) ?? []);
  }

  /** What happened to an order since a version of it, oldest first. */
  changesSince(order: string, version: number): Change[] {
    return (this.changes.get(order) ?? []).filter((change) => change.version > version);
  }

  private foldOrder(event: Event, id: string): void {
    const data = event.data as { order: PublicOrder };
    const order = data.order;
    const before = this.orders.get(id);
    if (before) this.index(before, -1);
    if (order.version !== before?.version) this.remember(id, event, order);
    if (event.kind === "order.stranded") this.stranded.add(id);
    else if (order.state !== "offered") this.stranded.delete(id);
    if (GONE.has(order.state)) {
      this.orders.delete(id);
      this.gone.delete(id);
      this.gone.set(id, order);
      if (this.gone.size > KEPT_GONE) this.gone.delete(this.gone.keys().next().value!);
      return;
    }
    this.gone.delete(id);
    this.orders.set(id, order);
    this.index(order, 1);
  }

  private remember(id: string, event: Event, order: PublicOrder): void {
    const list = this.changes.get(id) ?? [];
    const { order: _, ...data } = event.data as Record<string, unknown>;
    list.push({ version: order.version, kind: event.kind, at: event.at, actor: event.actor, crew: order.crew ?? null, data });
    this.changes.set(id, list.slice(-KEPT_CHANGES));
  }

  private foldCrew(event: Event, id: string): "crews" | null {
    const crew = this.crews.get(id);
    const data = event.data as Partial<CrewRow>;
    if (event.kind === "crew.added" || event.kind === "crew.changed") {
      const blank: CrewRow = {
        id, name: id, skills: [], home_zone: null, capacity: 1, state: "off", load: 0, position: null, position_at: null,
      };
      this.crews.set(id, { ...blank, ...crew, ...data });
      return "crews";
    }
    if (crew && event.kind === "crew.shift_started") {
      this.crews.set(id, { ...crew, state: crew.load ? "busy" : "idle", shift_since: event.at });
    } else if (crew && event.kind === "crew.shift_ended") {
      this.crews.set(id, { ...crew, state: "off", position: null, position_at: null, shift_since: null });
    }
    return null;
  }

  private index(order: PublicOrder, sign: 1 | -1): void {
    if (!order.crew || !(WITH_CREW.has(order.state) || order.state === "suspended")) return;
    const held = this.held.get(order.crew) ?? new Set();
    this.held.set(order.crew, held);
    if (sign > 0) held.add(order.id);
    else held.delete(order.id);
    const crew = this.crews.get(order.crew);
    if (!crew) return;
    const load = [...held].filter((id) => WITH_CREW.has((id === order.id ? order : this.orders.get(id))?.state ?? "")).length;
    this.crews.set(crew.id, { ...crew, load, state: crew.state === "off" ? "off" : load ? "busy" : "idle" });
  }
}
