/** An order's events as sentences. Pure: names come in, sentences go out. */
import type { EventOut, GrabOut } from "@/api/rest";
import type { PublicOrder } from "@/shared/console-feed";
import { wordFor } from "@/shared/language";
import { wire } from "@/shared/wire-words";

import type { Change } from "./city";
import { durationText, shortId } from "./durations";
import { machineReason } from "./machine-words";
import { told } from "./story-words";
import { acts } from "./act-words";
import { t } from "./words";

/** Names for ids: of crews, of users (null where unknown), of zones. */
export interface Names {
  readonly crew: (id: string | null | undefined) => string;
  readonly zone: (id: string | null) => string;
  readonly user: (actor: string) => string | null;
  readonly me: string | null;
}

export type Tone = "plain" | "good" | "warn" | "bad" | "person";

export interface Sentence {
  readonly seq: number;
  readonly at: string;
  readonly text: string;
  /** Said beside it: reasons, evidence. */
  readonly more: string[];
  /** Crews that heard it then, with their way. */
  readonly heard: { crew: string; eta_s: number }[];
  readonly tone: Tone;
}

type Data = Record<string, unknown> & { order?: PublicOrder };
interface OfferData {
  ring: number;
  crews: [string, number, number][];
}

/** Who did it, ready to stand before a verb. */
export function actorText(actor: string, names: Names): string {
  const words = told.value;
  if (actor.startsWith("crew:")) return words.someone(names.crew(actor.slice(5)));
  if (!actor.startsWith("user:")) return words.system;
  if (actor === names.me) return words.you;
  const name = names.user(actor);
  return name ? words.someone(name) : words.dispatcher;
}

/** The whole story, oldest first; what says nothing to a person is left out. */
export function sentences(timeline: readonly EventOut[], names: Names): Sentence[] {
  return timeline.flatMap((event) => {
    const data = event.data as Data;
    const said = sentence(event.kind, event.actor, data, event.crew ?? null, names);
    if (!said) return [];
    const offered = data.offered as OfferData | undefined;
    const heard = (offered?.crews ?? []).map(([crew, eta_s]) => ({ crew, eta_s }));
    return [{ seq: event.seq, at: event.at, heard, ...said }];
  });
}

/** What a change was, for who is told of a collision. */
export function changeText(change: Change, names: Names): string {
  return sentence(change.kind, change.actor, change.data as Data, change.crew, names)?.text ?? told.value.other(change.kind);
}

type Said = { text: string; more: string[]; tone: Tone };

function sentence(kind: string, actor: string, data: Data, crew: string | null, names: Names): Said | null {
  const [subject, verb] = kind.split(".", 2) as [string, string];
  if (subject === "clock") return alarm(verb, data);
  const visit = visits[verb]?.(data, names.crew(crew), actor, names);
  if (visit && !(typeof data.action === "string")) return visit;
  if (typeof data.action === "string") return override(data, actor, names);
  const offered = data.offered as OfferData | undefined;
  const ring = told.value.ring[offered?.ring ?? 0] ?? "";
  switch (verb) {
    case "reported":
      return plain(told.value.reported(typeof data.channel === "string" ? wordFor(wire.value.channel, data.channel) : ""));
    case "zoned":
      return plain(told.value.zoned(names.zone(data.order?.zone ?? null)));
    case "offered":
      return plain(offered?.crews.length ? told.value.offered(offered.crews.length, ring) : told.value.offeredNobody(ring));
    case "widened":
      return plain(told.value.widened(offered?.crews.length ?? 0, ring));
    case "offered_to":
      return plain(told.value.offeredTo((offered?.crews ?? []).map(([id]) => names.crew(id)).join("、")));
    case "updated":
      return null;
    default:
      return plain(told.value.other(kind));
  }
}

const plain = (text: string, more: string[] = [], tone: Tone = "plain"): Said => ({ text, more, tone });
const words = (...given: unknown[]): string[] => given.filter((one): one is string => typeof one === "string" && one !== "");

function alarm(verb: string, data: Data): Said {
  const clock = wordFor(wire.value.clock, String(data.clock));
  return verb === "breached" ? plain(told.value.breached(clock), [], "bad") : plain(told.value.atRisk(clock), [], "warn");
}

const visits: Record<string, (data: Data, crew: string, actor: string, names: Names) => Said> = {
  claimed: (data, crew) => {
    const decision = data.decision as { reason?: string } | undefined;
    const bids = (data.bids as unknown[] | undefined)?.length ?? 0;
    const why = decision?.reason ? (told.value.why as Record<string, string>)[decision.reason] : undefined;
    return plain(told.value.claimed(crew), words(bids ? told.value.bidsWere(bids) : "", why), "good");
  },
  replan_proposed: (data, _crew, _actor, names) => {
    const replan = data.replan as { crew: string; to: string };
    return plain(told.value.replanProposed(names.crew(replan.crew), names.crew(replan.to)));
  },
  replan_withdrawn: (data) => plain(told.value.replanWithdrawn, words(wordFor(t.value.replans.goneWhy, String(data.reason)))),
  replan_dismissed: (data, _crew, actor, names) =>
    plain(told.value.replanDismissed(actorText(actor, names), names.crew((data.replan as { to: string }).to)), words(data.reason)),
  assigned: (data, crew, actor, names) => {
    if (actor.startsWith("user:")) return plain(told.value.replanAccepted(actorText(actor, names), crew), [], "good");
    const reason = (data.given as { reason?: string } | undefined)?.reason;
    return plain(told.value.assignedByMachine(crew), words(machineReason(reason, names.crew)), "good");
  },
  declined: (data, _crew, _actor, names) => plain(told.value.declined(names.crew(data.by as string)), words(typeof data.reason === "string" ? wordFor(told.value.declineWhy, data.reason) : "")),
  handed_back: (data, _crew, _actor, names) => {
    const lost = data.lost as { crew?: string } | undefined;
    return plain(told.value.handedBack(names.crew(lost?.crew)), words(wordFor(told.value.handBack, data.reason as string)), "warn");
  },
  bids_refused: () => plain(told.value.bidsRefused, [], "warn"),
  stranded: (data, _crew, _actor, names) => plain(told.value.stranded, words(machineReason(data.reason, names.crew)), "bad"),
  en_route: (_data, crew) => plain(told.value.enRoute(crew)),
  arrived: (data, crew) => plain(told.value.arrived(crew), words(data.order?.unverified ? told.value.unverified : "", ...evidence(data)), "good"),
  resolved: (data, crew) => plain(told.value.resolved(crew), evidence(data), "good"),
  suspended: (data, crew) =>
    plain(
      told.value.suspended(crew),
      words(data.reason ? wordFor(wire.value.suspendReason, data.reason as string) : "", data.clocks_paused ? told.value.clocksPaused : ""),
      "warn",
    ),
  closed: (data) => plain(told.value.closed(typeof data.stars === "number" ? told.value.stars(data.stars) : ""), [], "good"),
  reopened: () => plain(told.value.reopened, [], "warn"),
};

function evidence(data: Data): string[] {
  const seen = data.evidence as { temperature_c?: number | null; note?: string | null } | null | undefined;
  return words(typeof seen?.temperature_c === "number" ? told.value.temperature(seen.temperature_c) : "", seen?.note);
}

function override(data: Data, actor: string, names: Names): Said {
  const action = data.action as string;
  const by = actorText(actor, names);
  const reason = words(data.reason);
  const given = data.given as { crew?: string } | undefined;
  const lost = data.lost as { crew?: string } | undefined;
  const after = words(lost?.crew ? told.value.lost(names.crew(lost.crew)) : "");
  if (action === "assign") return plain(told.value.assigned(by, names.crew(given?.crew ?? data.order?.crew)), [...reason, ...after], "person");
  if (action === "confirm_arrival") return plain(told.value.arrivedConfirmed(by), reason, "person");
  const detail = action === "reprioritize" && data.order ? told.value.toSeverity(data.order.severity) : "";
  const said = told.value.acted(by, (acts.value.action as Record<string, string>)[action] ?? action);
  return plain(said, [...words(detail), ...reason, ...after], "person");
}

/** Who bid, in how many seconds he would have been there, and what came of it. */
export function bidText(bid: GrabOut, names: Names): string {
  const eta = bid.eta_s === null ? "" : told.value.etaOf(durationText(bid.eta_s));
  const verdict = bid.reason ? ((wire.value.grabReason as Record<string, string>)[bid.reason] ?? bid.reason) : told.value.open;
  return told.value.bid(names.crew(bid.crew), eta, verdict);
}

/** The fields that a dispatcher decides by: where they are the same, nothing has collided. */
export function essence(order: PublicOrder): string {
  const at = order.location;
  return [order.state, order.crew, order.severity, order.zone, at?.lon, at?.lat, order.incident].join("|");
}

export { shortId };
