/**
 * What the city's log has told this crew, folded: open offers and held orders. Pure, so that two phones that have seen
 * the same messages show the same.
 */
import type { Assigned, Offer, OfferClosed, Order, Revoked, Route, ShiftChanged, Stop, ToCrew, Updated, Welcome } from "@/api/sockets";

/** An order that is open to this crew's grab. */
export interface OpenOffer {
  readonly order: Order;
  readonly mode: Offer["mode"];
  readonly closes_at: string;
  readonly eta_s: number;
  readonly distance_m: number;
}

export interface Known {
  crew: string | null;
  onShift: boolean;
  offers: Record<string, OpenOffer>;
  orders: Record<string, Order>;
  route: Stop[];
  /** Offers turned down by hand; a later offer of the same order shows again. */
  declined: Record<string, true>;
}

export const nothingKnown = (): Known => ({ crew: null, onShift: false, offers: {}, orders: {}, route: [], declined: {} });

const HELD: ReadonlySet<string> = new Set(["claimed", "en_route", "arrived", "suspended"]);

/** Take a message in; returns whether it is one of the log's. */
export function fold(known: Known, message: ToCrew): boolean {
  switch (message.type) {
    case "welcome":
      welcome(known, message);
      return true;
    case "offer":
      return offered(known, message);
    case "offer_closed":
      return closed(known, message);
    case "assigned":
      return assigned(known, message);
    case "revoked":
      return revoked(known, message);
    case "updated":
      return updated(known, message);
    case "route":
      known.route = [...(message as Route).stops];
      return true;
    case "shift_changed":
      return shiftChanged(known, message);
    default:
      return false;
  }
}

/**
 * Offers that were shown before are gone, those of a shift that begins follow. What the crew itself said of its shift is
 * known here already, and may have been unsaid since.
 */
function shiftChanged(known: Known, message: ShiftChanged): boolean {
  known.offers = {};
  known.declined = {};
  if (message.by === "dispatcher") known.onShift = message.on;
  return true;
}

function welcome(known: Known, message: Welcome): void {
  known.crew = message.crew;
  known.onShift = message.on_shift ?? false;
  if (message.resumed) return;
  known.offers = {};
  for (const { mode, closes_at, eta_s, distance_m, ...order } of message.offers) {
    known.offers[order.id] = { order, mode, closes_at, eta_s, distance_m };
  }
  known.orders = Object.fromEntries(message.orders.map((order) => [order.id, order]));
  known.declined = Object.fromEntries(Object.keys(known.declined).filter((id) => id in known.offers).map((id) => [id, true]));
  known.route = [];
}

function offered(known: Known, { order, mode, closes_at, eta_s, distance_m }: Offer): boolean {
  delete known.orders[order.id];
  delete known.declined[order.id];
  known.offers[order.id] = { order, mode, closes_at, eta_s, distance_m };
  return true;
}

function closed(known: Known, message: OfferClosed): boolean {
  forgetOffer(known, message.order);
  return true;
}

function assigned(known: Known, { order }: Assigned): boolean {
  forgetOffer(known, order.id);
  known.orders[order.id] = order;
  return true;
}

function revoked(known: Known, message: Revoked): boolean {
  delete known.orders[message.order];
  return true;
}

function updated(known: Known, { order }: Updated): boolean {
  if (order.crew === known.crew && HELD.has(order.state)) {
    forgetOffer(known, order.id);
    known.orders[order.id] = order;
    return true;
  }
  delete known.orders[order.id];
  const open = known.offers[order.id];
  if (order.state !== "offered") forgetOffer(known, order.id);
  else if (open) known.offers[order.id] = { ...open, order };
  return true;
}

function forgetOffer(known: Known, order: string): void {
  delete known.offers[order];
  delete known.declined[order];
}

/** When somebody must be at the door, ms; an order without that clock comes last. */
export function dueAt(order: Order): number {
  const arrival = order.clocks.arrival;
  return arrival ? Date.parse(arrival.due_at) : Number.MAX_SAFE_INTEGER;
}

/** The offers to show, the nearest deadline first; of equal ones the nearer place. */
export function openOffers(known: Known): OpenOffer[] {
  return Object.values(known.offers)
    .filter((offer) => !known.declined[offer.order.id])
    .sort((a, b) => dueAt(a.order) - dueAt(b.order) || a.eta_s - b.eta_s || a.order.id.localeCompare(b.order.id));
}

/** The orders on this crew's list: the proposed way first, then by deadline; what is suspended comes last. */
export function heldOrders(known: Known): Order[] {
  const place = new Map(known.route.map((stop, index) => [stop.order, index]));
  const rank = (order: Order) => (order.state === "suspended" ? 2 : 1) * 1e6 + (place.get(order.id) ?? 1e5);
  return Object.values(known.orders).sort((a, b) => rank(a) - rank(b) || dueAt(a) - dueAt(b) || a.id.localeCompare(b.id));
}
