/** What a dispatcher may do to an order in which state, and with which key. The server decides; this spares useless buttons. */
import type { OverrideIn } from "@/api/rest";
import type { PublicOrder } from "@/shared/console-feed";

import { WITH_CREW, WITH_DISPATCHER } from "./city";

export type Action = OverrideIn["action"];

const OPEN = (state: string) => WITH_CREW.has(state) || WITH_DISPATCHER.has(state) || state === "offered";

const ABLE: Record<Action, (order: PublicOrder) => boolean> = {
  assign: ({ state }) => OPEN(state),
  revoke: ({ state }) => WITH_CREW.has(state) || state === "suspended",
  hold: ({ state }) => OPEN(state) && state !== "held",
  release: ({ state }) => ["held", "suspended", "transferred"].includes(state),
  offer: ({ state, location }) => (WITH_DISPATCHER.has(state) || state === "offered") && !!location,
  reprioritize: ({ state }) => OPEN(state),
  move: ({ state }) => OPEN(state),
  merge: ({ state }) => OPEN(state),
  unmerge: ({ state }) => state === "merged",
  transfer: ({ state }) => OPEN(state) && state !== "transferred",
  cancel: ({ state }) => OPEN(state),
  pause: ({ state, clocks }) => OPEN(state) && Object.values(clocks).some((clock) => !clock.stopped_at && !clock.paused_at),
  resume: ({ state, clocks }) => OPEN(state) && Object.values(clocks).some((clock) => clock.paused_at),
  confirm_arrival: ({ state, unverified }) => ["claimed", "en_route"].includes(state) || (state === "arrived" && !!unverified),
  close: ({ state }) => state === "resolved",
  undo: () => true,
};

/** The keys of the actions; `assign` opens the candidates. */
export const KEYS: Partial<Record<Action, string>> = {
  assign: "a",
  revoke: "r",
  hold: "h",
  release: "e",
  offer: "o",
  reprioritize: "p",
  move: "l",
  merge: "m",
  transfer: "t",
  cancel: "x",
  pause: "s",
  resume: "s",
  confirm_arrival: "v",
};

/** In the order in which they are offered. */
export const ACTIONS: readonly Action[] = [
  "assign", "revoke", "hold", "release", "offer", "reprioritize", "move", "merge", "unmerge",
  "transfer", "pause", "resume", "confirm_arrival", "close", "cancel",
];
/** Those that make sense for many orders at once. */
export const BULK: readonly Action[] = ["assign", "revoke", "hold", "release", "offer", "reprioritize", "merge", "transfer", "cancel", "move"];
/** Those that end an order's way: they ask in red. */
export const FINAL: ReadonlySet<Action> = new Set(["cancel"]);

export const able = (action: Action, order: PublicOrder): boolean => ABLE[action](order);

/** The action that a key means for an order, where it can be done. */
export function actionOf(key: string, order: PublicOrder): Action | null {
  const found = (Object.keys(KEYS) as Action[]).find((action) => KEYS[action] === key && able(action, order));
  return found ?? null;
}
