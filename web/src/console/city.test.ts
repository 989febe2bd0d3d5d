import { beforeEach, describe, expect, it } from "vitest";

import type { CrewRow, Event, PublicOrder, Snapshot } from "@/shared/console-feed";

import { City } from "./city";

const order = (more: Partial<PublicOrder> = {}): PublicOrder => ({
  id: "o1", version: 1, state: "offered", zone: "z", category: "leak", severity: 3, location: null, address: null, crew: null,
  claimed_by: null, reported_at: "2026-01-01T08:00:00Z", clocks: {}, ...more,
});
const crew = (more: Partial<CrewRow> = {}): CrewRow => ({
  id: "c1", name: "王", skills: [], home_zone: "z", capacity: 2, state: "idle", load: 0, position: { lon: 1, lat: 2 }, position_at: "2026-01-01T08:00:00Z", ...more,
});
let seq = 10;
const event = (kind: string, after: PublicOrder | null, data: object = {}, crewId: string | null = null): Event => ({
  type: "event", seq: (seq += 1), at: "2026-01-01T08:01:00Z", kind, actor: "crew:c1", data: after ? { order: after, ...data } : data,
  order: after?.id ?? null, crew: crewId ?? after?.crew ?? null,
});

describe("a city that follows the log", () => {
  let city: City;
  beforeEach(() => {
    city = new City();
    city.load({ type: "snapshot", seq: 10, epoch: "e", server_time: "", resumed: false, orders: [order()], crews: [crew()] } as Snapshot);
  });

  it("counts what a crew holds as orders come to it and leave it", () => {
    city.fold(event("order.claimed", order({ version: 2, state: "claimed", crew: "c1" })));
    expect(city.crews.get("c1")).toMatchObject({ load: 1, state: "busy" });
    expect(city.heldBy("c1").map(({ id }) => id)).toEqual(["o1"]);
    city.fold(event("order.suspended", order({ version: 3, state: "suspended", crew: "c1" })));
    expect(city.crews.get("c1")).toMatchObject({ load: 0, state: "idle" });
    expect(city.heldBy("c1")).toHaveLength(1);
    city.fold(event("order.released", order({ version: 4 })));
    expect(city.heldBy("c1")).toEqual([]);
  });

  it("takes an order that is done off the list and remembers what became of it", () => {
    city.fold(event("order.cancelled", order({ version: 2, state: "cancelled" })));
    expect(city.orders.has("o1")).toBe(false);
    expect(city.gone.get("o1")?.state).toBe("cancelled");
    city.fold(event("order.restored", order({ version: 3 })));
    expect([city.orders.has("o1"), city.gone.has("o1")]).toEqual([true, false]);
  });

  it("says what changed an order since a version, and not what only widened its circle", () => {
    city.fold(event("order.offered_to", order(), { offered: { crews: [] } }));
    city.fold(event("order.claimed", order({ version: 2, state: "claimed", crew: "c1" })));
    expect(city.changesSince("o1", 1).map(({ kind, crew: who }) => [kind, who])).toEqual([["order.claimed", "c1"]]);
    expect(city.changesSince("o1", 2)).toEqual([]);
  });

  it("forgets where a crew is when its shift ends, and takes no older fix for a newer", () => {
    city.move([{ crew: "c1", lon: 5, lat: 5, accuracy_m: 9, at: "2026-01-01T07:00:00Z" }]);
    expect(city.crews.get("c1")?.position).toEqual({ lon: 1, lat: 2 });
    city.fold(event("crew.shift_ended", null, {}, "c1"));
    expect(city.crews.get("c1")).toMatchObject({ state: "off", position: null });
    city.move([{ crew: "c1", lon: 5, lat: 5, accuracy_m: 9, at: "2026-01-01T09:00:00Z" }]);
    expect(city.crews.get("c1")?.position).toBeNull();
  });

  it("keeps the load when a crew is changed or named anew", () => {
    city.fold(event("order.claimed", order({ version: 2, state: "claimed", crew: "c1" })));
    expect(city.fold(event("crew.changed", null, { skills: ["a"], home_zone: "y", capacity: 5, zones_lent: ["z"] }, "c1"))).toBe("crews");
    city.renew([crew({ name: "王师傅", load: 0, state: "idle", capacity: 5 })]);
    expect(city.crews.get("c1")).toMatchObject({ name: "王师傅", load: 1, state: "busy", capacity: 5 });
  });
});
