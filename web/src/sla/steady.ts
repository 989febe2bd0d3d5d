/** Rows that stay where they are while a finger or the keyboard is among them; what is new waits and is counted. */
import { computed, type ComputedRef, ref, type Ref, watch } from "vue";

/** The order in which to show: held rows first as they stood, without those that are gone. */
export function inHeldOrder<T>(rows: readonly T[], held: readonly string[] | null, keyOf: (row: T) => string): T[] {
  if (held === null) return [...rows];
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  return held.flatMap((key) => byKey.get(key) ?? []);
}

export function steady<T>(
  rows: Ref<readonly T[]>,
  keyOf: (row: T) => string,
): { shown: ComputedRef<T[]>; waiting: ComputedRef<number>; isHeld: Ref<boolean> } {
  const isHeld = ref(false);
  const held = ref<readonly string[] | null>(null);
  watch(isHeld, (holds) => (held.value = holds ? rows.value.map(keyOf) : null), { flush: "sync" });
  const shown = computed(() => inHeldOrder(rows.value, held.value, keyOf));
  return { shown, waiting: computed(() => rows.value.length - shown.value.length), isHeld };
}
