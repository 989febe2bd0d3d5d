// Made by tools/web-types from the product's schema; do not edit.
import type * as Schema from "./rest";

export interface Routes {
  /** Replace the zones by a FeatureCollection, as a new version; a wrong one changes nothing. Roles: admin. */
  "PUT /zones": { path: {}; query: { based_on?: number }; body: object; answer: Schema.ZoneMapOut };
  /** Show the zones in force, with their `version`. Roles: admin, crew, dispatcher, intake, monitor. */
  "GET /zones": { path: {}; query: {}; body: never; answer: unknown };
  /** Check a FeatureCollection of zones and tell what it would change; nothing is put in force. Roles: admin, dispatcher. */
  "POST /zones/check": { path: {}; query: {}; body: object; answer: Schema.ZoneCheck };
  /** Cut the shape of a zone along a line; the largest part comes first, nothing is kept. Roles: admin, dispatcher. */
  "POST /zones/split": { path: {}; query: {}; body: Schema.ZoneSplitIn; answer: Schema.ZoneParts };
  /** Join the shapes of zones that touch into one; nothing is kept. Roles: admin, dispatcher. */
  "POST /zones/join": { path: {}; query: {}; body: Schema.ZoneJoinIn; answer: Schema.ZoneParts };
  /** Tell the zone of a place; one on a border is in exactly one zone. Roles: admin, crew, dispatcher, intake, monitor. */
  "GET /zones/locate": { path: {}; query: { lon: number; lat: number; crs?: "bd09" | "gcj02" | "wgs84" }; body: never; answer: Schema.LocateOut };
  /** Make a crew. Roles: admin. */
  "POST /crews": { path: {}; query: {}; body: Schema.CrewIn; answer: Schema.CrewOut };
  /** List crews with what they do and where they are. Roles: admin, dispatcher. */
  "GET /crews": { path: {}; query: { limit?: number; cursor?: string }; body: never; answer: Schema.CrewPage };
  /** Change what a crew can do, where it belongs, and the zones that it is lent to. Roles: admin, dispatcher. */
  "PATCH /crews/{crew_id}": { path: { crew_id: string }; query: {}; body: Schema.CrewChange; answer: Schema.CrewOut };
  /** Begin or end a crew's shift in its stead; the crew is told, and what it holds stays with it. Roles: admin, dispatcher. */
  "POST /crews/{crew_id}/shift": { path: { crew_id: string }; query: {}; body: Schema.ShiftIn; answer: Schema.CrewOut };
  /** Issue a token for a crew; it is shown this once. Roles: admin. */
  "POST /crews/{crew_id}/tokens": { path: { crew_id: string }; query: {}; body: never; answer: Schema.TokenOut };
  /** List the tokens with which a crew can sign in; none is shown, each has a name. Roles: admin. */
  "GET /crews/{crew_id}/tokens": { path: { crew_id: string }; query: {}; body: never; answer: Schema.TokenPage };
  /** Make a lost phone's token void, or every token of the crew; its sockets are closed. Roles: admin. */
  "POST /crews/{crew_id}/tokens/revoke": { path: { crew_id: string }; query: {}; body: Schema.RevokeIn; answer: Schema.Revocation };
  /** Tell whose token this is. Roles: admin, crew, dispatcher, intake, monitor. */
  "GET /me": { path: {}; query: {}; body: never; answer: Schema.MeOut };
  /** Make a user. Roles: admin. */
  "POST /users": { path: {}; query: {}; body: Schema.UserIn; answer: Schema.UserOut };
  /** List users, the administrator that every city has among them. Roles: admin. */
  "GET /users": { path: {}; query: { limit?: number; cursor?: string }; body: never; answer: Schema.UserPage };
  /** Issue a token for a user; it is shown this once. Roles: admin. */
  "POST /users/{user_id}/tokens": { path: { user_id: string }; query: {}; body: never; answer: Schema.TokenOut };
  /** List the tokens with which a user can sign in; none is shown, each has a name. Roles: admin. */
  "GET /users/{user_id}/tokens": { path: { user_id: string }; query: {}; body: never; answer: Schema.TokenPage };
  /** Make a user's token void, or every one of his; 409 for the last that an administrator of the city has. Roles: admin. */
  "POST /users/{user_id}/tokens/revoke": { path: { user_id: string }; query: {}; body: Schema.RevokeIn; answer: Schema.Revocation };
  /** Make a link that signs a technician's phone in, once, within 15 minutes. Roles: admin. */
  "POST /crews/{crew_id}/sign-in-links": { path: { crew_id: string }; query: {}; body: never; answer: Schema.SignInLink };
  /** Exchange the code of a sign-in link for the crew's token; the same device may ask again. No token is needed. */
  "POST /sign-in": { path: {}; query: {}; body: Schema.SignInIn; answer: Schema.SignInOut };
  /** Keep a photo (JPEG, PNG or WebP, at most 1 MiB); the same photo again has the same reference. Roles: crew. */
  "POST /photos": { path: {}; query: {}; body: never; answer: Schema.PhotoOut };
  /** Show a photo of a visit. Roles: admin, dispatcher, monitor. */
  "GET /photos/{photo_id}": { path: { photo_id: string }; query: {}; body: never; answer: unknown };
  /** Tell a crew what it did since a moment, its score, and what that rests on. Roles: crew. */
  "GET /me/day": { path: {}; query: { since: string }; body: never; answer: Schema.DayOut };
  /** Take a report; the same (channel, external_id) again gives the first answer. Roles: admin, intake. */
  "POST /reports": { path: {}; query: {}; body: Schema.ReportIn; answer: Schema.ReportOut };
  /** Show a report and its order. Roles: admin, intake. */
  "GET /reports/{report_id}": { path: { report_id: string }; query: {}; body: never; answer: Schema.ReportOut };
  /** Keep what the resident says; `resolved: false` opens the order again. Roles: admin, intake. */
  "POST /orders/{order_id}/rating": { path: { order_id: string }; query: {}; body: Schema.RatingIn; answer: Schema.PublicOrder };
  /** List orders, the newest first. Roles: admin, dispatcher, monitor. */
  "GET /orders": { path: {}; query: { state?: string; zone?: string; crew?: string; limit?: number; cursor?: string }; body: never; answer: Schema.OrderPage };
  /** Show an order with its timeline, who asked for it, who got it and why. Roles: admin, dispatcher, monitor. */
  "GET /orders/{order_id}": { path: { order_id: string }; query: {}; body: never; answer: Schema.OrderDetail };
  /** Rank the crews for an order: why him, why not. Roles: admin, dispatcher. */
  "GET /orders/{order_id}/candidates": { path: { order_id: string }; query: { limit?: number; cursor?: string }; body: never; answer: Schema.CandidatePage };
  /** Do what a dispatcher says to an order; it is final, versioned and audited. Roles: admin, dispatcher. */
  "POST /orders/{order_id}/override": { path: { order_id: string }; query: {}; body: Schema.OverrideIn; answer: Schema.PublicOrder };
  /** Do a list of overrides, each by itself: one that fails leaves the others as they are. Roles: admin, dispatcher. */
  "POST /overrides": { path: {}; query: {}; body: object; answer: Schema.OverrideResults };
  /** Read the city's event log from a position on, gapless. Roles: admin, dispatcher, monitor. */
  "GET /events": { path: {}; query: { after?: number; limit?: number }; body: never; answer: Schema.EventPage };
  /** List the moves that the plan proposes and nobody has decided. Roles: admin, dispatcher, monitor. */
  "GET /replans": { path: {}; query: {}; body: never; answer: Schema.ReplanPage };
  /** Move the order as the plan proposes; both crews are told. 409 says why it is too late. Roles: admin, dispatcher. */
  "POST /replans/{replan_id}/accept": { path: { replan_id: string }; query: {}; body: never; answer: Schema.PublicOrder };
  /** Leave the order where it is; the same is not proposed again while its crew holds it. Roles: admin, dispatcher. */
  "POST /replans/{replan_id}/dismiss": { path: { replan_id: string }; query: {}; body: Schema.DismissIn; answer: Schema.Replan };
  /** Sum up the clocks of the orders reported in a time, per clock and zone, and per clock over all zones. Roles: admin, monitor. */
  "GET /sla/summary": { path: {}; query: { from?: string; to?: string; zone?: string; limit?: number; cursor?: string }; body: never; answer: Schema.Summary };
  /** List clocks, the next due first; those that were met by their orders, the newest first. Roles: admin, monitor. */
  "GET /sla/clocks": { path: {}; query: { state?: "at_risk" | "breached" | "met" | "paused" | "running"; limit?: number; cursor?: string }; body: never; answer: Schema.ClockPage };
  /** Show the shares of today and of this week by zone, with each order that may still change them. Roles: admin, dispatcher, monitor. */
  "GET /sla/board": { path: {}; query: {}; body: never; answer: Schema.Board };
  /** Count reports by the hour, beside what is usual at that time of such a day by the days before. Roles: admin, dispatcher, monitor. */
  "GET /sla/hours": { path: {}; query: { from?: string; to?: string; days?: number }; body: never; answer: Schema.Hours };
  /** Tell which clocks run out next, and who could still save them: computed from positions, skills and loads. Roles: admin, dispatcher, monitor. */
  "GET /sla/endangered": { path: {}; query: { within_s?: number; limit?: number }; body: never; answer: Schema.Endangered };
  /** List alarms with what was said about them, the newest first. Roles: admin, dispatcher, monitor. */
  "GET /sla/alarms": { path: {}; query: { kind?: "at_risk" | "breached"; acknowledged?: boolean; from?: string; to?: string; order?: string; limit?: number; cursor?: string }; body: never; answer: Schema.AlarmPage };
  /** Say that an alarm of an order was seen, and what is to be said about it; further notes may follow. Roles: admin, dispatcher, monitor. */
  "POST /orders/{order_id}/acknowledge": { path: { order_id: string }; query: {}; body: Schema.AcknowledgeIn; answer: Schema.AlarmOut };
  /** Report on a period: sums as JSON, each order as CSV, both as XLSX. Roles: admin, dispatcher, monitor. */
  "GET /sla/report": { path: {}; query: { from?: string; to?: string; format?: "csv" | "json" | "xlsx" }; body: never; answer: Schema.PeriodReport };
}
