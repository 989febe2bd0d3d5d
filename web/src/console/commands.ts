/** What the dispatcher does to orders: sent once under a key, with the version that he saw; collisions come back explained. */
import { type Ref, ref, shallowRef } from "vue";

import type { CandidateOut, OverrideIn, OverrideResult } from "@/api/rest";
import { api, Problem } from "@/shared/api";
import type { PublicOrder } from "@/shared/console-feed";
import { newId } from "@/shared/format";

import type { Action } from "./actions";
import type { Change, City } from "./city";
import { essence } from "./story";

export interface Proposal {
  readonly action: Action;
  readonly orders: readonly string[];
  readonly fields: Partial<Pick<OverrideIn, "crew" | "severity" | "into" | "to" | "pause_reason" | "location">>;
  /** The orders as the dispatcher saw them when he began. */
  readonly seen: ReadonlyMap<string, PublicOrder>;
  /** What the assignment would delay, shown before it is made. */
  readonly candidate?: CandidateOut;
}

/** Somebody else was faster: how the order is now, and what made it so. */
export interface Collision {
  readonly order: PublicOrder;
  readonly changes: readonly Change[];
}

export type Outcome =
  | { readonly kind: "done"; readonly order: PublicOrder }
  | { readonly kind: "collided"; readonly collision: Collision }
  | { readonly kind: "failed"; readonly problem: Problem };

export interface Done {
  readonly action: Action;
  readonly orders: readonly string[];
}

export class Commands {
  /** What was done last and can be taken back. */
  readonly last = shallowRef<Done | null>(null);
  readonly busy: Ref<boolean> = ref(false);

  constructor(
    private readonly token: string,
    private readonly city: City,
    private readonly refresh: () => void,
  ) {}

  /** What has changed in what matters since the dispatcher began; a clock that ticked is no collision. */
  collision(proposal: Proposal, order: string): Collision | null {
    const seen = proposal.seen.get(order);
    const now = this.city.orders.get(order) ?? this.city.gone.get(order);
    if (!seen || !now || now.version <= seen.version || essence(now) === essence(seen)) return null;
    return { order: now, changes: this.city.changesSince(order, seen.version) };
  }

  /** Do it to one order. `onto` is the version that it must still be at. */
  async act(proposal: Proposal, reason: string, order: string, onto: PublicOrder | undefined): Promise<Outcome> {
    const body: OverrideIn = { action: proposal.action, reason, ...proposal.fields, ...(onto ? { version: onto.version } : {}) };
    const key = newId();
    this.busy.value = true;
    try {
      const changed = await this.persist(() =>
        api(this.token).post("/orders/{order_id}/override", { path: { order_id: order }, body, key }),
      );
      this.last.value = proposal.action === "undo" ? null : { action: proposal.action, orders: [order] };
      return { kind: "done", order: changed };
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      const now = problem.document.order as PublicOrder | undefined;
      if (problem.code !== "stale_version" || !now || !onto) return { kind: "failed", problem };
      if (essence(now) === essence(onto)) return this.act(proposal, reason, order, now);
      return { kind: "collided", collision: { order: now, changes: await this.changes(order, onto.version) } };
    } finally {
      this.busy.value = false;
      this.refresh();
    }
  }

  /** Do it to many: the answer has a result for each. */
  async actOnAll(proposal: Proposal, reason: string, orders: readonly string[]): Promise<OverrideResult[]> {
    const key = newId();
    this.busy.value = true;
    const body = orders.map((order) => {
      const now = this.city.orders.get(order);
      const location = proposal.action === "move" && now?.location ? { location: now.location } : {};
      return { action: proposal.action, reason, order, ...proposal.fields, ...location, ...(now ? { version: now.version } : {}) };
    });
    try {
      const { items } = await this.persist(() => api(this.token).post("/overrides", { body, key }));
      const done = items.filter((item) => item.status === 200).map((item) => item.order);
      if (done.length) this.last.value = { action: proposal.action, orders: done };
      return items;
    } finally {
      this.busy.value = false;
      this.refresh();
    }
  }

  /** Take back what was done last; each order has a result. */
  async undo(reason: string): Promise<OverrideResult[]> {
    const last = this.last.value;
    if (!last) return [];
    const key = newId();
    const body = last.orders.map((order) => ({ action: "undo" as const, reason, order }));
    const { items } = await this.persist(() => api(this.token).post("/overrides", { body, key }));
    this.last.value = null;
    this.refresh();
    return items;
  }

  /** The same command again under the same key where the line broke: it is done once, whatever was heard. */
  private async persist<T>(ask: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await ask();
      } catch (problem) {
        if (!(problem instanceof Problem) || !problem.isPassing || attempt === 2) throw problem;
        await new Promise((resolve) => setTimeout(resolve, 400 * 2 ** attempt));
      }
    }
  }

  /** The changes since a version, from the feed where it has them already, else from the order's story. */
  private async changes(order: string, since: number): Promise<Change[]> {
    try {
      const { timeline } = await api(this.token).get("/orders/{order_id}", { path: { order_id: order } });
      return timeline.flatMap((event) => {
        const { order: after, ...data } = event.data as { order?: PublicOrder };
        if (!after || after.version <= since) return [];
        return [{ version: after.version, kind: event.kind, at: event.at, actor: event.actor, crew: after.crew ?? null, data: { ...data, order: after } }];
      });
    } catch {
      return this.city.changesSince(order, since);
    }
  }
}
