/** Dragging an order onto a crew, with the pointer: from a row to a crew's row, or to a crew on the map. */
import { onScopeDispose, reactive } from "vue";

export interface Drag {
  /** The order under way, null while nothing is dragged. */
  order: string | null;
  x: number;
  y: number;
  /** The crew that a drop would give it to. */
  over: string | null;
}

export interface DragSettings {
  /** The crew on the map at a place of the window, as the map knows it. */
  readonly crewAt: (x: number, y: number) => string | null;
  readonly began: (order: string) => void;
  readonly dropped: (order: string, crew: string) => void;
}

/** How far a pointer must go before it is a drag and no click, pixels. */
const FAR = 6;

export function dragging({ crewAt, began, dropped }: DragSettings) {
  const drag = reactive<Drag>({ order: null, x: 0, y: 0, over: null });
  let pressed: { order: string; x: number; y: number } | null = null;

  const target = (x: number, y: number): string | null => {
    const under = document.elementFromPoint(x, y);
    const row = under?.closest<HTMLElement>("[data-crew]");
    return row?.dataset.crew ?? (under?.closest("[data-map]") ? crewAt(x, y) : null);
  };

  function press(order: string, event: PointerEvent): void {
    if (event.button !== 0 || event.pointerType === "touch") return;
    pressed = { order, x: event.clientX, y: event.clientY };
    addEventListener("pointermove", move);
    addEventListener("pointerup", release);
    addEventListener("pointercancel", cancel);
    addEventListener("keydown", escape, true);
  }

  function move(event: PointerEvent): void {
    if (!pressed) return;
    if (!drag.order && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < FAR) return;
    event.preventDefault();
    if (!drag.order) {
      drag.order = pressed.order;
      began(pressed.order);
    }
    drag.x = event.clientX;
    drag.y = event.clientY;
    drag.over = target(event.clientX, event.clientY);
  }

  /** It goes to whom the ghost has named, even where rows have moved under a pointer that stood still. */
  function release(): void {
    const { order, over: crew } = drag;
    if (order) addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }));
    cancel();
    if (order && crew) dropped(order, crew);
  }

  const swallow = (event: Event) => event.stopPropagation();

  function escape(event: KeyboardEvent): void {
    if (event.key !== "Escape" || !drag.order) return;
    event.stopPropagation();
    event.preventDefault();
    cancel();
  }

  function cancel(): void {
    pressed = null;
    drag.order = drag.over = null;
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", release);
    removeEventListener("pointercancel", cancel);
    removeEventListener("keydown", escape, true);
  }

  onScopeDispose(cancel);
  return { drag, press };
}
