// Made by tools/web-types from the product's schema; do not edit.
/**
 * RFC 9457: what went wrong; `code` is stable, `errors` point at wrong fields.
 */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: {
    [k: string]: string;
  }[];
}
/**
 * The map that is in force now.
 */
export interface ZoneMapOut {
  version: number;
  zones: number;
  warnings: {}[];
}
/**
 * The zone of a place, null outside every zone.
 */
export interface LocateOut {
  zone: string | null;
}
/**
 * A crew to be: `capacity` is how many orders it may hold at once.
 */
export interface CrewIn {
  name: string;
  skills?: string[];
  home_zone?: string | null;
  capacity?: number;
}
/**
 * A crew with what it does and where it is; `position_age_s` is the age of the last fix in seconds.
 */
export interface CrewOut {
  id: string;
  name: string;
  skills: string[];
  home_zone: string | null;
  capacity: number;
  state: "busy" | "idle" | "off";
  load: number;
  position: Location | null;
  position_at: string | null;
  position_age_s: number | null;
  score: number;
}
/**
 * A place on the ground, WGS-84 degrees.
 */
export interface Location {
  lon: number;
  lat: number;
}
/**
 * A token, shown this once.
 */
export interface TokenOut {
  token: string;
}
/**
 * A page of crews.
 */
export interface CrewPage {
  items: CrewOut[];
  next?: string | null;
}
/**
 * Whose token it is: a user's or a crew's id in `subject`, and what he is called.
 */
export interface MeOut {
  role: "admin" | "crew" | "dispatcher" | "intake" | "monitor";
  subject: string;
  name: string | null;
  city: string;
  city_name: string;
}
/**
 * A user to be.
 */
export interface UserIn {
  name: string;
  role: "admin" | "dispatcher" | "intake" | "monitor";
}
/**
 * A user.
 */
export interface UserOut {
  id: string;
  name: string;
  role: string;
}
/**
 * A link that signs one phone in, as text and as a QR code to be scanned; shown this once.
 */
export interface SignInLink {
  url: string;
  expires_at: string;
  svg: string;
}
/**
 * What a phone found in the link, and a secret that it made up: the same at every try, never shown to anybody.
 */
export interface SignInIn {
  code: string;
  device: string;
}
/**
 * The crew's token, and who it is.
 */
export interface SignInOut {
  token: string;
  crew: string;
  name: string;
}
/**
 * A photo's reference, for `evidence.photo` of a progress message.
 */
export interface PhotoOut {
  photo: string;
}
/**
 * A crew's work since a moment. `score` (0 to 1) moves by `weight` of the way towards each new rating's stars.
 */
export interface DayOut {
  since: string;
  arrived: number;
  in_time: number;
  resolved: number;
  score: number;
  ratings: number;
  weight: number;
  orders: Done[];
}
/**
 * An order that the crew was at the door of; `in_time` None where the arrival clock did not decide it.
 */
export interface Done {
  order: string;
  category: string;
  address: {} | null;
  arrived_at: string;
  in_time: boolean | null;
  unverified: boolean;
  resolved_at: string | null;
  stars: number | null;
}
/**
 * A resident's report, from whatever channel. `severity` 1 (routine) to 5 (burst).
 */
export interface ReportIn {
  channel: string;
  category: string;
  description?: string | null;
  severity?: number | null;
  contact?: ContactIn | null;
  address?: {} | null;
  location?: ReportedPlace | null;
  external_id?: string | null;
  reported_at?: string | null;
  required_skills?: string[];
}
/**
 * Whom to call. Kept with the order and told to the crew that holds it, never to the log.
 */
export interface ContactIn {
  name?: string | null;
  phone?: string | null;
}
/**
 * Where a report says it is. Numbers that are no place on earth are kept as they came; a dispatcher finds it.
 */
export interface ReportedPlace {
  lon: number;
  lat: number;
  crs?: "bd09" | "gcj02" | "wgs84";
}
/**
 * A report as it was taken, and its order.
 */
export interface ReportOut {
  id: string;
  order: PublicOrder;
  report?: unknown;
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
 * What the resident says of the visit.
 */
export interface RatingIn {
  stars: number;
  resolved: boolean;
  comment?: string | null;
}
/**
 * A page of orders.
 */
export interface OrderPage {
  items: PublicOrder[];
  next?: string | null;
}
/**
 * An order with its whole story.
 */
export interface OrderDetail {
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
  timeline: EventOut[];
  grabs: GrabOut[];
  decisions: {}[];
  description?: string | null;
  contact?: Contact | null;
  merged_into?: string | null;
  transferred_to?: string | null;
}
/**
 * An event of the city's log.
 */
export interface EventOut {
  seq: number;
  at: string;
  kind: string;
  actor: string;
  data: {};
  order?: string | null;
  crew?: string | null;
}
/**
 * Who asked for an order, and what came of it.
 */
export interface GrabOut {
  crew: string;
  id: string;
  cycle: number;
  at: string;
  eta_s: number | null;
  distance_m: number | null;
  reason: string | null;
}
/**
 * Whom to call at the door; sent only to the crew that holds the order.
 */
export interface Contact {
  name?: string | null;
  phone?: string | null;
}
/**
 * Crews ranked for an order, the best first.
 */
export interface CandidatePage {
  items: CandidateOut[];
  next?: string | null;
}
/**
 * A crew seen from an order: why him, why not.
 */
export interface CandidateOut {
  crew: string;
  eta_s: number | null;
  distance_m: number | null;
  eligible: boolean;
  reasons: string[];
}
/**
 * What a dispatcher does to an order, and why. `version` is the one that he saw; left out, the newest counts.
 */
export interface OverrideIn {
  action:
    | "assign"
    | "cancel"
    | "close"
    | "confirm_arrival"
    | "hold"
    | "merge"
    | "move"
    | "offer"
    | "pause"
    | "release"
    | "reprioritize"
    | "resume"
    | "revoke"
    | "transfer"
    | "undo"
    | "unmerge";
  reason: string;
  version?: number | null;
  crew?: string | null;
  severity?: number | null;
  location?: Place | null;
  into?: string | null;
  to?: string | null;
  pause_reason?: ("resident_absent" | "waiting_part" | "waiting_utility") | null;
}
/**
 * Where something is; `crs` says in which datum the numbers are.
 */
export interface Place {
  lon: number;
  lat: number;
  crs?: "bd09" | "gcj02" | "wgs84";
}
/**
 * An override of a list, with the order that it is about.
 */
export interface OverrideItem {
  action:
    | "assign"
    | "cancel"
    | "close"
    | "confirm_arrival"
    | "hold"
    | "merge"
    | "move"
    | "offer"
    | "pause"
    | "release"
    | "reprioritize"
    | "resume"
    | "revoke"
    | "transfer"
    | "undo"
    | "unmerge";
  reason: string;
  version?: number | null;
  crew?: string | null;
  severity?: number | null;
  location?: Place | null;
  into?: string | null;
  to?: string | null;
  pause_reason?: ("resident_absent" | "waiting_part" | "waiting_utility") | null;
  order: string;
}
/**
 * What became of each override of a list, in its order.
 */
export interface OverrideResults {
  items: OverrideResult[];
}
/**
 * What became of one override of a list: the order in `result`, or the problem.
 */
export interface OverrideResult {
  order: string;
  status: number;
  result?: unknown;
  code?: string | null;
  detail?: string | null;
}
/**
 * Events from a position on; ask again with `after` = `last`.
 */
export interface EventPage {
  items: EventOut[];
  last: number;
}
/**
 * The clocks of the orders reported in a time.
 */
export interface Summary {
  items: SummaryRow[];
  next?: string | null;
}
/**
 * One clock in one zone; `share` is the part met of those decided, percentiles are seconds.
 */
export interface SummaryRow {
  clock: string;
  zone: string | null;
  count: number;
  met: number;
  share: number | null;
  p50: number | null;
  p90: number | null;
  p99: number | null;
  at_risk: number;
  breached: number;
}
/**
 * A page of clocks, the next due first.
 */
export interface ClockPage {
  items: ClockRow[];
  next?: string | null;
}
/**
 * One clock of one order; `remaining_s` is negative past the deadline.
 */
export interface ClockRow {
  order: string;
  clock: string;
  state: string;
  due_at: string;
  remaining_s: number;
  zone: string | null;
  severity: number;
  started_at: string;
  stopped_at: string | null;
  pause_reason: string | null;
}
