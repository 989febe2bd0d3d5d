// Made by tools/web-types from the product's schema; do not edit.
/**
 * The first message. `token` where the handshake could not carry it; `resume_after` the last `seq` seen.
 *
 *     `epoch` is the one that `welcome` gave with that seq; given, a log of another epoch is noticed.
 */
export interface Hello {
  type: "hello";
  token?: string | null;
  resume_after?: number | null;
  epoch?: string | null;
}
/**
 * Begin (`on: true`) or end the shift. Answered by `shift_changed` where that changes something.
 *
 *     Offers come only while on shift, and whatever is open to the crew comes anew as a shift begins: with a
 *     `shift_changed` the phone clears the offers that it shows.
 */
export interface Shift {
  type: "shift";
  on: boolean;
}
/**
 * One fix of the phone, with the phone's own time in `at`; without a `crs` it is WGS-84.
 */
export interface Position {
  type: "position";
  lon: number;
  lat: number;
  accuracy_m: number;
  at: string;
  crs?: ("bd09" | "gcj02" | "wgs84") | null;
}
/**
 * Ask for an offered order. The same `id` always gets the same verdict.
 */
export interface Grab {
  type: "grab";
  /**
   * the crew's own id of this command
   */
  id: string;
  order: string;
}
/**
 * Say no to an offer, so that a sealed window need not wait for this crew. A bid that it made is taken back.
 */
export interface Decline {
  type: "decline";
  /**
   * the crew's own id of this command
   */
  id: string;
  order: string;
  reason?: string | null;
}
/**
 * How the visit goes, with the phone's time in `at`. `reason` only for `suspended`.
 *
 *     It pauses the clocks where something was found (`evidence`), or the arrival was proved. A phone without `reason` may
 *     name a listed one in its note.
 */
export interface Progress {
  type: "progress";
  /**
   * the crew's own id of this command
   */
  id: string;
  order: string;
  to: "arrived" | "en_route" | "resolved" | "suspended";
  at: string;
  evidence?: Evidence | null;
  reason?: ("resident_absent" | "waiting_part" | "waiting_utility") | null;
}
/**
 * What was found at the door: room temperature, words, a photo's reference (`POST /photos` gives it).
 */
export interface Evidence {
  temperature_c?: number | null;
  note?: string | null;
  photo?: string | null;
}
/**
 * Give back an order that this crew holds: it is opened to the others at once. Answered by `progress_ack`.
 */
export interface HandBack {
  type: "hand_back";
  /**
   * the crew's own id of this command
   */
  id: string;
  order: string;
  reason: "missing_part" | "missing_skill" | "shift_ends" | "too_far" | "unsafe" | "unwell" | "vehicle_trouble";
  at: string;
}
/**
 * Everything up to `seq` has been seen.
 */
export interface Ack {
  type: "ack";
  seq: number;
}
/**
 * Keeps the connection known to be alive; every field is sent back in `pong`.
 */
export interface Ping {
  type: "ping";
}
/**
 * Answer to `hello`. With `resumed: false` the lists are the whole truth; else the missed messages follow.
 */
export interface Welcome {
  type: "welcome";
  crew: string;
  seq: number;
  epoch: string;
  server_time: string;
  offers: OfferedOrder[];
  orders: Order[];
  resumed: boolean;
  on_shift?: boolean;
}
/**
 * An open offer inside `welcome`: the order, and beside its fields the terms that its `offer` message carried.
 */
export interface OfferedOrder {
  id: string;
  version: number;
  state:
    | "arrived"
    | "cancelled"
    | "claimed"
    | "closed"
    | "en_route"
    | "held"
    | "merged"
    | "offered"
    | "resolved"
    | "suspended"
    | "transferred"
    | "unzoned";
  zone: string | null;
  category: string;
  severity: number;
  location: Location | null;
  address: {} | null;
  crew: string | null;
  claimed_by: ("dispatcher" | "grab" | "optimizer") | null;
  reported_at: string;
  clocks: {
    [k: string]: Clock;
  };
  incident?: string | null;
  required_skills?: string[];
  unverified?: boolean;
  description?: string | null;
  contact?: Contact | null;
  mode: "first" | "sealed";
  closes_at: string;
  eta_s: number;
  distance_m: number;
}
/**
 * A place on the ground, WGS-84 degrees.
 */
export interface Location {
  lon: number;
  lat: number;
}
/**
 * One service clock of an order: when it is due and whether it was met, breached or paused.
 *
 *     `breached` is true once the breach was told to everybody; `paused_s` is how long it has stood still so far.
 */
export interface Clock {
  state: "at_risk" | "breached" | "met" | "paused" | "running" | "stopped";
  started_at: string;
  due_at: string;
  at_risk_at?: string | null;
  stopped_at?: string | null;
  breached?: boolean;
  paused_at?: string | null;
  pause_reason?: string | null;
  paused_s?: number;
}
/**
 * Whom to call at the door; sent only to the crew that holds the order.
 */
export interface Contact {
  name?: string | null;
  phone?: string | null;
}
/**
 * A repair order as a crew sees it: with what the resident said, and for its holder whom to call.
 */
export interface Order {
  id: string;
  version: number;
  state:
    | "arrived"
    | "cancelled"
    | "claimed"
    | "closed"
    | "en_route"
    | "held"
    | "merged"
    | "offered"
    | "resolved"
    | "suspended"
    | "transferred"
    | "unzoned";
  zone: string | null;
  category: string;
  severity: number;
  location: Location | null;
  address: {} | null;
  crew: string | null;
  claimed_by: ("dispatcher" | "grab" | "optimizer") | null;
  reported_at: string;
  clocks: {
    [k: string]: Clock;
  };
  incident?: string | null;
  required_skills?: string[];
  unverified?: boolean;
  description?: string | null;
  contact?: Contact | null;
}
/**
 * An order is open to this crew's grab until it closes.
 */
export interface Offer {
  type: "offer";
  seq: number;
  order: Order;
  mode: "first" | "sealed";
  closes_at: string;
  eta_s: number;
  distance_m: number;
}
/**
 * The order is no longer open; `order` is its id.
 */
export interface OfferClosed {
  type: "offer_closed";
  seq: number;
  order: string;
  reason: "assigned" | "expired" | "taken" | "withdrawn";
}
/**
 * Sealed mode: the bid is in and durable; the verdict follows after `closes_at`.
 */
export interface GrabAck {
  type: "grab_ack";
  id: string;
  order: string;
  closes_at: string;
}
/**
 * The verdict on a grab, durable before it is sent.
 */
export interface GrabResult {
  type: "grab_result";
  id: string;
  order: string;
  won: boolean;
  reason:
    | "at_capacity"
    | "closed"
    | "not_eligible"
    | "off_shift"
    | "outbid"
    | "rate_limited"
    | "taken"
    | "unknown_order"
    | "won";
}
/**
 * The order was given to this crew.
 */
export interface Assigned {
  type: "assigned";
  seq: number;
  order: Order;
  by: "dispatcher" | "optimizer";
  reason: string | null;
}
/**
 * The order was taken from this crew; `order` is its id.
 */
export interface Revoked {
  type: "revoked";
  seq: number;
  order: string;
  by: string;
  reason: string | null;
}
/**
 * An order that this crew holds, or is offered, has changed.
 */
export interface Updated {
  type: "updated";
  seq: number;
  order: Order;
}
/**
 * A `progress`, `decline` or `hand_back` is durable (`state`), or not taken (`error`; `detail` says why).
 */
export interface ProgressAck {
  type: "progress_ack";
  id: string;
  order: string;
  state?:
    | (
        | "arrived"
        | "cancelled"
        | "claimed"
        | "closed"
        | "en_route"
        | "held"
        | "merged"
        | "offered"
        | "resolved"
        | "suspended"
        | "transferred"
        | "unzoned"
      )
    | null;
  error?: string | null;
  detail?: string | null;
  unverified?: boolean;
}
/**
 * The order in which the held orders are best visited.
 */
export interface Route {
  type: "route";
  seq: number;
  stops: Stop[];
}
/**
 * One stop of a route.
 */
export interface Stop {
  order: string;
  eta: string;
}
/**
 * Where an idle crew best waits for the next reports, and why; nobody has to go.
 */
export interface Advice {
  type: "advice";
  seq: number;
  location: Location;
  reason: string;
}
/**
 * The shift began or ended: by the crew's own word, which is durable now, or by a dispatcher's, with his reason.
 *
 *     Offers that were shown before it are gone; those of a shift that begins follow.
 */
export interface ShiftChanged {
  type: "shift_changed";
  seq: number;
  on: boolean;
  by: "crew" | "dispatcher";
  reason?: string | null;
}
/**
 * A message was not taken. `id` names the command where it had one.
 */
export interface Error {
  type: "error";
  code: string;
  detail: string;
  id?: string | null;
}
/**
 * Answer to `ping`.
 */
export interface Pong {
  type: "pong";
}
/**
 * The first message of a console: what it wants to see, and from where on.
 *
 *     `bbox` is west, south, east, north in degrees.
 */
export interface ConsoleHello {
  type: "hello";
  token?: string | null;
  resume_after?: number | null;
  epoch?: string | null;
  zones?: string[] | null;
  bbox?: [number, number, number, number] | null;
}
/**
 * Everything up to `seq` has been seen.
 */
export interface ConsoleAck {
  type: "ack";
  seq: number;
}
/**
 * Keeps the connection known to be alive.
 */
export interface ConsolePing {
  type: "ping";
}
/**
 * Everything that a console is to see at `seq`; with `resumed` the events after `seq` follow instead.
 */
export interface Snapshot {
  type: "snapshot";
  seq: number;
  epoch: string;
  server_time: string;
  resumed: boolean;
  orders?: PublicOrder[];
  crews?: CrewRow[];
}
/**
 * A repair order as everybody may see it. `claimed_by` says how `crew` came to hold it.
 *
 *     `unverified` marks an arrival that the crew's fixes did not prove.
 */
export interface PublicOrder {
  id: string;
  version: number;
  state:
    | "arrived"
    | "cancelled"
    | "claimed"
    | "closed"
    | "en_route"
    | "held"
    | "merged"
    | "offered"
    | "resolved"
    | "suspended"
    | "transferred"
    | "unzoned";
  zone: string | null;
  category: string;
  severity: number;
  location: Location | null;
  address: {} | null;
  crew: string | null;
  claimed_by: ("dispatcher" | "grab" | "optimizer") | null;
  reported_at: string;
  clocks: {
    [k: string]: Clock;
  };
  incident?: string | null;
  required_skills?: string[];
  unverified?: boolean;
}
/**
 * A crew as consoles see it, on shift since `shift_since`, `position` being its last fix.
 */
export interface CrewRow {
  id: string;
  name: string;
  skills: string[];
  home_zone: string | null;
  capacity: number;
  state: "busy" | "idle" | "off";
  load: number;
  position: Location | null;
  position_at: string | null;
  zones_lent?: string[];
  shift_since?: string | null;
}
/**
 * One row of the city's log, in order.
 */
export interface Event {
  type: "event";
  seq: number;
  at: string;
  kind: string;
  actor: string;
  data: {};
  order?: string | null;
  crew?: string | null;
}
/**
 * The newest fix of each crew that moved, at most once a second.
 */
export interface Positions {
  type: "positions";
  positions: Fix[];
}
/**
 * Where a crew is.
 */
export interface Fix {
  crew: string;
  lon: number;
  lat: number;
  accuracy_m: number;
  at: string;
}

export type FromCrew = Hello | Shift | Position | Grab | Decline | Progress | HandBack | Ack | Ping;
export type ToCrew = Welcome | Offer | OfferClosed | GrabAck | GrabResult | Assigned | Revoked | Updated | ProgressAck | Route | Advice | ShiftChanged | Error | Pong;
export type FromConsole = ConsoleHello | ConsoleAck | ConsolePing;
export type ToConsole = Snapshot | Event | Positions | Error | Pong;
