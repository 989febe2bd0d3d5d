// Made by tools/web-types from the product's schema; do not edit.
/**
 * RFC 9457: what went wrong; `code` is stable, `errors` point at wrong fields, `order` is the current one.
 */
export interface ProblemDocument {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  errors?: Problem[];
  order?: PublicOrder | null;
}
/**
 * One thing wrong with an input: where (a JSON pointer, RFC 6901) and what to do about it.
 */
export interface Problem {
  pointer: string;
  detail: string;
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
 * The map that is in force now.
 */
export interface ZoneMapOut {
  version: number;
  zones: number;
  warnings: {}[];
}
/**
 * What is wrong and what is odd about a map, and what it would change; `moves` is null where it is wrong.
 */
export interface ZoneCheck {
  problems: {}[];
  warnings: {}[];
  moves?: Preview | null;
}
/**
 * What a map would change: orders whose place falls otherwise, crews that belong or are lent to no zone of it.
 */
export interface Preview {
  orders: OrderMove[];
  crews: string[];
}
/**
 * An open order that lies in another zone on a new map; None is outside every zone.
 */
export interface OrderMove {
  order: string;
  zone: string | null;
  to: string | null;
}
/**
 * A Polygon or MultiPolygon, and the LineString that cuts it.
 */
export interface ZoneSplitIn {
  geometry: {};
  line: {};
}
/**
 * Shapes that an edit has made, the largest first.
 */
export interface ZoneParts {
  geometries: {}[];
}
/**
 * The shapes of zones that are to be one.
 */
export interface ZoneJoinIn {
  geometries: {}[];
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
  skills?: string[] | null;
  home_zone?: string | null;
  capacity?: number | null;
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
  zones_lent?: string[];
  shift_since?: string | null;
  position_age_s: number | null;
  score: number;
}
/**
 * What to change about a crew; what is left out, or null, stays as it is. `zones_lent` replaces the list of before.
 *
 *     A `home_zone` of null takes the crew out of every zone.
 */
export interface CrewChange {
  name?: string | null;
  skills?: string[] | null;
  home_zone?: string | null;
  capacity?: number | null;
  zones_lent?: string[] | null;
}
/**
 * A dispatcher's word on a crew's shift; the reason is kept, and told to the crew.
 */
export interface ShiftIn {
  on: boolean;
  reason: string;
}
/**
 * A token, shown this once.
 */
export interface TokenOut {
  token: string;
}
/**
 * The tokens of a crew or user, the oldest first.
 */
export interface TokenPage {
  items: IssuedToken[];
  next?: string | null;
}
/**
 * A token that was issued: an `id` to name it by (the beginning of its hash), never the token itself.
 */
export interface IssuedToken {
  id: string;
  issued_at: string;
}
/**
 * Which token becomes void, by its `id` of the list; null means every one.
 */
export interface RevokeIn {
  token?: string | null;
}
/**
 * How many tokens became void.
 */
export interface Revocation {
  revoked: number;
}
/**
 * A page of crews.
 */
export interface CrewPage {
  items: CrewOut[];
  next?: string | null;
}
/**
 * Whose token it is: a user's or a crew's id in `subject`, and what he is called; `time_zone` is the city's.
 */
export interface MeOut {
  role: "admin" | "crew" | "dispatcher" | "intake" | "monitor";
  subject: string;
  name: string | null;
  city: string;
  city_name: string;
  time_zone: string;
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
 * A page of users.
 */
export interface UserPage {
  items: UserOut[];
  next?: string | null;
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
 *
 *     `extra` is what else the channel knows: kept with the report as it came, told to nobody but who reads the report.
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
  required_skills?: string[] | null;
  extra?: {} | null;
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
  crs?: ("bd09" | "gcj02" | "wgs84") | null;
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
 * An order with its whole story; `people` has the names of the users in it, by actor.
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
  people?: {
    [k: string]: string;
  };
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
 * A crew seen from an order: why him, why not, and what would follow.
 *
 *     `eta_s` is the way from where the crew is; `arrives_s` comes after what it would finish first. `delays` are the
 *     orders that it holds and would reach later.
 */
export interface CandidateOut {
  crew: string;
  eta_s: number | null;
  distance_m: number | null;
  eligible: boolean;
  reasons: string[];
  arrives_s?: number | null;
  delays?: Delay[];
}
/**
 * An order that a crew holds and would reach `later_s` seconds later.
 *
 *     `misses` says that it would then miss the arrival deadline that it would have met; an order already late does not.
 */
export interface Delay {
  order: string;
  later_s: number;
  misses: boolean;
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
  crs?: ("bd09" | "gcj02" | "wgs84") | null;
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
 *
 *     `order` is the one that the item named, empty where it named none; `current` is that order as it is now, where the
 *     item's version was an older one. `errors` point into the list.
 */
export interface OverrideResult {
  order: string;
  status: number;
  result?: unknown;
  code?: string | null;
  detail?: string | null;
  current?: PublicOrder | null;
  errors?: Problem[];
}
/**
 * Events from a position on; ask again with `after` = `last`.
 */
export interface EventPage {
  items: EventOut[];
  last: number;
}
/**
 * What waits for a word, the oldest first.
 */
export interface ReplanPage {
  items: Replan[];
  next?: string | null;
}
/**
 * A proposed move of `order` from `crew` to `to`, and the plan's reason.
 *
 *     Foreseen when it was proposed: `to` is at the door in `arrives_s`, where `crew` needs `instead_of_s`; None where
 *     that is not known. `delays` has the orders of `to` that come later for it. What somebody has `dismissed` is kept, so
 *     that it is not proposed again.
 */
export interface Replan {
  id: string;
  order: string;
  crew: string;
  to: string;
  reason: string;
  proposed_at: string;
  arrives_s?: number | null;
  instead_of_s?: number | null;
  delays?: Delay[];
  dismissed?: boolean;
}
/**
 * Why not, where somebody says so; it is kept.
 */
export interface DismissIn {
  reason?: string | null;
}
/**
 * The clocks of the orders reported in a time; `all` has each clock over every zone, on each page.
 */
export interface Summary {
  items: SummaryRow[];
  next?: string | null;
  all?: SummaryRow[];
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
 * A page of clocks, the next due first; those that were met by their orders, the newest first.
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
/**
 * The figures as they were at `seq`. `orders` are those of the last hour and all open ones.
 *
 *     `arrivals` counts today's by whole minutes after the report, the last number those of an hour and more.
 *     `targets` are seconds by clock and severity.
 */
export interface Board {
  seq: number;
  epoch: string;
  at: string;
  time_zone: string;
  today_from: string;
  today_until: string;
  week_from: string;
  targets: {
    [k: string]: {
      [k: string]: number;
    };
  };
  today: Tally[];
  week: Tally[];
  arrivals: number[];
  orders: VerdictRow[];
}
/**
 * What became of the orders of one zone (null: of none) that were reported in a time.
 */
export interface Tally {
  zone: string | null;
  reports: number;
  hand_down_met: number;
  hand_down_breached: number;
  arrival_met: number;
  arrival_breached: number;
  grab: number;
  optimizer: number;
  dispatcher: number;
}
/**
 * What one order counts as; a verdict is null while undecided. `arrival_s`: from report to door, without pauses.
 */
export interface VerdictRow {
  order: string;
  zone: string | null;
  reported_at: string;
  claimed_by: ("dispatcher" | "grab" | "optimizer") | null;
  hand_down: ("breached" | "met") | null;
  arrival: ("breached" | "met") | null;
  arrival_s: number | null;
}
/**
 * Reports by hour as they were at `seq`; `usual_days` whole days from `usual_from` on say what is usual.
 */
export interface Hours {
  seq: number;
  time_zone: string;
  items: Hour[];
  usual_from: string | null;
  usual_days: number;
}
/**
 * The reports of an hour, and what is usual at that time of such a day (null: too few days are known).
 */
export interface Hour {
  hour: string;
  count: number;
  usual: Usual | null;
}
/**
 * Reports in one hour of the day, over `days` days before: the middle, and the tenth from below and above.
 *
 *     `of` says which days these are: those of the same weekday, or all.
 */
export interface Usual {
  p10: number;
  p50: number;
  p90: number;
  days: number;
  of: "all" | "weekday";
}
/**
 * The clocks that run out within the time asked for, the next first; `total` counts also those beyond `limit`.
 */
export interface Endangered {
  at: string;
  items: EndangeredRow[];
  total: number;
}
/**
 * A clock about to run out, and what could still save it.
 */
export interface EndangeredRow {
  order: string;
  clock: string;
  due_at: string;
  zone: string | null;
  category: string;
  severity: number;
  state: string;
  prospect: Prospect;
}
/**
 * What can become of a clock; `obstacles` counts why crews may not go, of the `looked_at` nearest ones.
 */
export interface Prospect {
  verdict: "can_be_saved" | "holder_in_time" | "no_place" | "nobody_free" | "not_by_crew" | "too_far";
  holder?: Rescue | null;
  rescues?: Rescue[];
  obstacles?: {
    [k: string]: number;
  };
  looked_at?: number;
}
/**
 * A crew that may take the order, or holds it: when it would be there, and whether that is in time.
 */
export interface Rescue {
  crew: string;
  name: string;
  eta_s: number | null;
  in_time: boolean;
}
/**
 * A page of alarms, the newest first.
 */
export interface AlarmPage {
  items: AlarmOut[];
  next?: string | null;
}
/**
 * An alarm that has fired at `at`; `stopped_at` is when its clock stopped at last, null while it runs.
 */
export interface AlarmOut {
  order: string;
  clock: string;
  deadline: string;
  kind: "at_risk" | "breached";
  at: string;
  zone: string | null;
  category: string;
  severity: number;
  state: string;
  address: {} | null;
  crew: string | null;
  stopped_at: string | null;
  notes: AlarmNote[];
}
/**
 * That somebody has seen an alarm, and what he says; the first of an alarm acknowledges it.
 */
export interface AlarmNote {
  at: string;
  actor: string;
  name: string | null;
  note: string | null;
}
/**
 * Which alarm of the order was seen, by its clock and deadline, and what is to be said about it.
 */
export interface AcknowledgeIn {
  clock: "arrival" | "call_back" | "hand_down" | "resolve" | "transfer";
  deadline: string;
  kind?: ("at_risk" | "breached") | null;
  note?: string | null;
}
/**
 * What became of the orders reported in a time. `breaches` are the alarms that fired in it, the newest first.
 *
 *     `clocks` are the whole city's, `zones` each zone's; `claims` count how orders came to their crews;
 *     `arrival_target_s` is that of an order of usual severity, as it is set now.
 */
export interface PeriodReport {
  from: string;
  to: string;
  made_at: string;
  time_zone: string;
  city_name: string;
  reports: number;
  clocks: SummaryRow[];
  zones: SummaryRow[];
  hours: Hour[];
  usual_days: number;
  arrivals: number[];
  claims: {
    [k: string]: number;
  };
  breaches: AlarmOut[];
  more_breaches: boolean;
  arrival_target_s: number;
}
/**
 * What went wrong: the HTTP status again, and a description that begins with the parameter.
 */
export interface GeoReportError {
  code: number;
  description: string;
}
/**
 * What a client that knows the host alone needs to know.
 */
export interface Discovery {
  changeset: string;
  contact: string;
  key_service: string;
  endpoints: Endpoint[];
}
/**
 * Where GeoReport is spoken, and in which formats.
 */
export interface Endpoint {
  specification: string;
  url: string;
  changeset: string;
  type: "production" | "test";
  formats: string[];
}
/**
 * A member of `services`: what somebody may ask for. Its code is an order's `category`.
 */
export interface Service {
  service_code: string;
  service_name: string;
  description: string;
  keywords: string;
  group: string;
  metadata?: boolean;
  type?: string;
}
/**
 * What a service asks of whoever wants it, beyond the common parameters: nothing.
 */
export interface ServiceDefinition {
  service_code: string;
  attributes?: {
    [k: string]: string;
  }[];
}
/**
 * A member of `requests`; times with their offset, `lat` and `long` in WGS-84.
 */
export interface ServiceRequest {
  service_request_id: string;
  status: "closed" | "open";
  status_notes: string;
  service_name: string;
  service_code: string;
  description: string | null;
  agency_responsible: string;
  service_notice: string | null;
  requested_datetime: string;
  updated_datetime: string;
  expected_datetime: string | null;
  address: string | null;
  address_id: string | null;
  zipcode: string | null;
  lat: number | null;
  long: number | null;
  media_url: string | null;
}
/**
 * What whoever sent a request is told: its id, what happens next, and the `account_id` that came with it.
 */
export interface RequestTaken {
  service_request_id: string;
  service_notice: string | null;
  account_id: string | null;
}
/**
 * The id of a request that was given a token in its place.
 */
export interface RequestOfToken {
  service_request_id: string;
  token: string;
}
/**
 * A request as its form has it. What else is sent is kept with the report, under its name.
 */
export interface RequestForm {
  service_code:
    | "burst"
    | "filter_clogged"
    | "leak"
    | "low_temperature"
    | "no_heat"
    | "no_pressure"
    | "noise"
    | "radiator_air"
    | "valve_closed";
  /**
   * a token of role intake; also as `Authorization: Bearer`
   */
  api_key?: string | null;
  /**
   * the key's city
   */
  jurisdiction_id?: string | null;
  /**
   * degrees, WGS-84; with `long` or not at all
   */
  lat?: number | null;
  /**
   * degrees, WGS-84; with `lat` or not at all
   */
  long?: number | null;
  address_string?: string | null;
  address_id?: string | null;
  description?: string | null;
  first_name?: string | null;
  last_name?: string | null;
  phone?: string | null;
  email?: string | null;
  device_id?: string | null;
  account_id?: string | null;
  media_url?: string | null;
}
