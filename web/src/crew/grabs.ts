/**
 * The grabs that this phone has made and what became of them. A grab without a verdict is asked again, with its id, on
 * every new connection and after a restart of the app: the server's verdict stays the same.
 */
import { reactive } from "vue";

import type { Grab, GrabAck, GrabResult } from "@/api/sockets";
import { newId } from "@/shared/format";
import { recall, remember } from "@/shared/storage";

const KEY = "qiangdan.crew.grabs";

export interface Asked {
  readonly id: string;
  readonly order: string;
  /** `asked`: on its way; `in`: the bid is durable and its verdict follows after `closesAt`. */
  readonly state: "asked" | "in";
  readonly closesAt?: string;
}

/** Grabs without a verdict, by order. */
export const asked = reactive<Record<string, Asked>>(kept());

export function ask(order: string): Grab {
  const grab: Asked = { id: newId(), order, state: "asked" };
  asked[order] = grab;
  keep();
  return messageOf(grab);
}

export function unanswered(): Grab[] {
  return Object.values(asked).map(messageOf);
}

export function bidIsIn(ack: GrabAck): void {
  if (asked[ack.order]?.id !== ack.id) return;
  asked[ack.order] = { id: ack.id, order: ack.order, state: "in", closesAt: ack.closes_at };
  keep();
}

/** Take a verdict; false where it is of no grab that waits for one (told before). */
export function judged(result: GrabResult): boolean {
  if (asked[result.order]?.id !== result.id) return false;
  drop(result.order);
  return true;
}

export function drop(order: string): void {
  delete asked[order];
  keep();
}

export function dropAll(): void {
  for (const order of Object.keys(asked)) delete asked[order];
  keep();
}

function messageOf({ id, order }: Asked): Grab {
  return { type: "grab", id, order };
}

function keep(): void {
  remember(KEY, Object.keys(asked).length ? JSON.stringify(asked) : null);
}

function kept(): Record<string, Asked> {
  try {
    return JSON.parse(recall(KEY) ?? "{}") as Record<string, Asked>;
  } catch {
    return {};
  }
}
