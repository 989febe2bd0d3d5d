/** The keyboard of the desk: one key for each thing, none while somebody types. */
import { onBeforeUnmount, onMounted } from "vue";

import { actionOf } from "./actions";
import type { Desk, View } from "./desk";

const VIEWS: Readonly<Record<string, View>> = { "1": "queue", "2": "map", "3": "crews" };

export interface KeySettings {
  readonly help: () => void;
  /** A dialog has the keyboard. */
  readonly busy: () => boolean;
}

export function useKeys(desk: Desk, { help, busy }: KeySettings): void {
  const focusQueue = () => document.querySelector<HTMLElement>("[data-queue] [tabindex='0']")?.focus();

  function show(view: View): void {
    desk.view.value = view;
    if (view === "map") document.querySelector<HTMLElement>("[data-map] canvas")?.focus();
    else if (view === "queue") focusQueue();
    else requestAnimationFrame(() => document.querySelector<HTMLElement>(".crews [tabindex='0']")?.focus());
  }

  function focusReplans(): boolean {
    const first = document.querySelector<HTMLElement>("[data-replan] [data-accept]");
    if (first) desk.view.value = "queue";
    first?.focus();
    return first !== null;
  }

  /** The order that keys are about: the one with the focus, else the one that is open. */
  function current(): string | null {
    const row = document.activeElement?.closest<HTMLElement>("[data-order]");
    return row?.dataset.order ?? (desk.chosen.value?.kind === "order" ? desk.chosen.value.id : null);
  }

  function act(key: string): boolean {
    const id = current();
    const order = id ? desk.city.orders.get(id) : undefined;
    const action = order ? actionOf(key, order) : null;
    if (!order || !action) return false;
    if (action !== "assign") desk.begin(action, order.id);
    else {
      if (desk.chosen.value?.id !== order.id) desk.choose({ kind: "order", id: order.id });
      desk.askCandidates();
    }
    return true;
  }

  function close(): boolean {
    const inside = document.activeElement?.closest(".panel");
    if (!desk.chosen.value) return false;
    desk.choose(null);
    if (inside) requestAnimationFrame(focusQueue);
    return true;
  }

  const others: Readonly<Record<string, () => boolean | void>> = {
    "?": help,
    "/": () => document.querySelector<HTMLElement>("[data-search]")?.focus(),
    f: () => desk.follow(),
    g: () => focusReplans(),
    u: () => void (desk.undoAsked.value += 1),
    j: () => step("ArrowDown"),
    k: () => step("ArrowUp"),
    Escape: close,
  };

  function step(key: string): void {
    const row = document.querySelector<HTMLElement>("[data-queue] [tabindex='0']");
    if (!row) return;
    if (document.activeElement?.closest("[data-queue]")) row.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    else row.focus();
  }

  function onKey(event: KeyboardEvent): void {
    if (busy() || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const typing = (event.target as HTMLElement).closest("input, textarea, select");
    if (typing) {
      if (event.key === "Escape") (typing as HTMLElement).blur();
      return;
    }
    const view = VIEWS[event.key];
    const used = view ? (show(view), true) : event.key in others ? others[event.key]!() !== false : act(event.key.toLowerCase());
    if (used) event.preventDefault();
  }

  onMounted(() => addEventListener("keydown", onKey));
  onBeforeUnmount(() => removeEventListener("keydown", onKey));
}
