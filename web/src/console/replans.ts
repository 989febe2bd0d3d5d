/** What the plan proposes where a zone's policy lets a person decide: the list as the server has it, and what has just gone. */
import { onScopeDispose, type Ref, shallowRef } from "vue";

import type { Replan } from "@/api/rest";
import { api, Problem } from "@/shared/api";
import type { Event } from "@/shared/console-feed";
import { newId } from "@/shared/format";

/** Why a proposal went without a word from here. */
export interface Gone {
  readonly replan: Replan;
  readonly why: string;
}

const SHOWN_MS = 20_000;

export interface Replans {
  readonly open: Readonly<Ref<readonly Replan[]>>;
  /** What was overtaken lately, to be read once. */
  readonly gone: Readonly<Ref<readonly Gone[]>>;
  readonly read: () => void;
  /** Take notice of an event of the log. */
  readonly hear: (event: Event) => void;
  readonly accept: (replan: Replan) => Promise<void>;
  readonly dismiss: (replan: Replan, reason: string | null) => Promise<void>;
}

export function replansOf(token: string): Replans {
  const open = shallowRef<readonly Replan[]>([]);
  const gone = shallowRef<readonly Gone[]>([]);
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let reading = 0;

  function read(): void {
    const wanted = ++reading;
    api(token)
      .get("/replans")
      .then(({ items }) => {
        if (wanted === reading) open.value = items;
      })
      .catch((problem: unknown) => {
        if (!(problem instanceof Problem)) throw problem;
      });
  }

  function forget(id: string): Replan | undefined {
    const found = open.value.find((one) => one.id === id);
    if (found) open.value = open.value.filter((one) => one.id !== id);
    return found;
  }

  function say(replan: Replan, why: string): void {
    gone.value = [...gone.value, { replan, why }];
    const timer = setTimeout(() => {
      timers.delete(timer);
      gone.value = gone.value.filter((one) => one.replan !== replan);
    }, SHOWN_MS);
    timers.add(timer);
  }

  function hear(event: Event): void {
    const data = event.data as { replan?: Replan; reason?: string };
    if (event.kind === "order.replan_proposed" && data.replan) {
      reading += 1; // what is being read may be older than this
      const { order } = data.replan;
      open.value = [...open.value.filter((one) => one.order !== order), data.replan];
      read();
    } else if (event.kind === "order.replan_withdrawn" && data.replan) {
      const replan = forget(data.replan.id);
      if (replan) say(replan, data.reason ?? "outdated");
    } else if (event.kind === "order.replan_dismissed" && data.replan) forget(data.replan.id);
    else if (event.kind === "order.assigned") {
      const replan = open.value.find((one) => one.order === event.order);
      if (replan) forget(replan.id);
    }
  }

  async function decide(replan: Replan, ask: () => Promise<unknown>): Promise<void> {
    try {
      await ask();
      forget(replan.id);
    } catch (problem) {
      read();
      throw problem;
    }
  }

  onScopeDispose(() => timers.forEach(clearTimeout));
  return {
    open,
    gone,
    read,
    hear,
    accept: (replan) => decide(replan, () => api(token).post("/replans/{replan_id}/accept", { path: { replan_id: replan.id }, key: newId() })),
    dismiss: (replan, reason) =>
      decide(replan, () => api(token).post("/replans/{replan_id}/dismiss", { path: { replan_id: replan.id }, body: { reason }, key: newId() })),
  };
}
