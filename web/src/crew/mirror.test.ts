import { expect, test } from "vitest";

import type { Offer, OfferedOrder, Order, Welcome } from "@/api/sockets";

import { fold, heldOrders, nothingKnown, openOffers } from "./mirror";

const order = (id: string, more: Partial<Order> = {}): Order => ({
  id,
  version: 1,
  state: "offered",
  zone: "z",
  category: "leak",
  severity: 3,
  location: null,
  address: null,
  crew: null,
  claimed_by: null,
  reported_at: "2026-01-15T08:00:00Z",
  clocks: {},
  ...more,
});
const due = (at: string) => ({ arrival: { state: "running" as const, started_at: "2026-01-15T08:00:00Z", due_at: at } });
const offer = (seq: number, id: string, more: Partial<Order> = {}): Offer => ({
  type: "offer",
  seq,
  order: order(id, more),
  mode: "first",
  closes_at: "2026-01-15T08:01:00Z",
  eta_s: 100,
  distance_m: 500,
});
const welcome = (more: Partial<Welcome> = {}): Welcome => ({
  type: "welcome",
  crew: "me",
  seq: 1,
  epoch: "e",
  server_time: "2026-01-15T08:00:00Z",
  offers: [],
  orders: [],
  resumed: false,
  on_shift: true,
  ...more,
});

test("an order is mine only where the server says so, and no longer than it says so", () => {
  const known = nothingKnown();
  fold(known, welcome());
  fold(known, offer(2, "a"));
  fold(known, { type: "updated", seq: 3, order: order("a", { state: "claimed", crew: "somebody" }) });
  expect([openOffers(known), heldOrders(known)]).toEqual([[], []]);
  fold(known, { type: "assigned", seq: 4, order: order("b", { state: "claimed", crew: "me" }), by: "dispatcher", reason: null });
  expect(heldOrders(known).map(({ id }) => id)).toEqual(["b"]);
  fold(known, { type: "revoked", seq: 5, order: "b", by: "dispatcher", reason: null });
  expect(heldOrders(known)).toEqual([]);
});

test("a snapshot replaces everything, a resumed welcome nothing", () => {
  const known = nothingKnown();
  fold(known, welcome({ orders: [order("a", { state: "claimed", crew: "me" })] }));
  fold(known, welcome({ resumed: true }));
  expect(Object.keys(known.orders)).toEqual(["a"]);
  fold(known, welcome());
  expect(known.orders).toEqual({});
});

test("offers come with the nearest deadline first", () => {
  const known = nothingKnown();
  fold(known, welcome());
  fold(known, offer(2, "late", { clocks: due("2026-01-15T08:15:00Z") }));
  fold(known, offer(3, "soon", { clocks: due("2026-01-15T08:05:00Z") }));
  expect(openOffers(known).map((one) => one.order.id)).toEqual(["soon", "late"]);
});

test("an offer turned down stays away until it is offered again", () => {
  const known = nothingKnown();
  fold(known, welcome());
  fold(known, offer(2, "a"));
  known.declined.a = true;
  expect(openOffers(known)).toEqual([]);
  const terms = { mode: "first", closes_at: "2026-01-15T08:01:00Z", eta_s: 1, distance_m: 1 } as const;
  fold(known, welcome({ offers: [{ ...order("a"), ...terms } as OfferedOrder] }));
  expect(openOffers(known)).toEqual([]);
  fold(known, offer(9, "a"));
  expect(openOffers(known)).toHaveLength(1);
});

test("a shift that ends or begins clears the offers, and only a dispatcher's word on it is news", () => {
  const known = nothingKnown();
  fold(known, welcome());
  fold(known, offer(2, "a"));
  fold(known, { type: "shift_changed", seq: 3, on: false, by: "crew", reason: null });
  expect([openOffers(known), known.onShift]).toEqual([[], true]);
  fold(known, offer(4, "b"));
  fold(known, { type: "shift_changed", seq: 5, on: false, by: "dispatcher", reason: "tired" });
  expect([openOffers(known), known.onShift]).toEqual([[], false]);
});

test("what is resolved leaves the list, what is suspended stays at its end", () => {
  const known = nothingKnown();
  const mine = (id: string, state: Order["state"]) => order(id, { state, crew: "me" });
  fold(known, welcome({ orders: [mine("a", "suspended"), mine("b", "claimed"), mine("c", "arrived")] }));
  fold(known, { type: "updated", seq: 2, order: mine("c", "resolved") });
  expect(heldOrders(known).map(({ id }) => id)).toEqual(["b", "a"]);
});
