/** One thing that is asked of the server: its newest answer, why there is none newer, and when to ask again. */
import { ref, type Ref, shallowRef, type ShallowRef } from "vue";

import { Problem } from "@/shared/api";

const RETRY_MS = 3_000;

export interface Part<T> {
  readonly value: Readonly<ShallowRef<T | null>>;
  /** Why the last try failed; what is shown is older than that. */
  readonly problem: Readonly<ShallowRef<unknown>>;
  readonly isAsking: Readonly<Ref<boolean>>;
  /** Ask now; where an answer is under way, once more after it. */
  readonly refresh: () => void;
  /** Ask, but not more often than every `gapMs`. */
  readonly soon: () => void;
  readonly stop: () => void;
}

export function part<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  { gapMs = 1_000, everyMs = 0 }: { gapMs?: number; everyMs?: number } = {},
): Part<T> {
  const value = shallowRef<T | null>(null);
  const problem = shallowRef<unknown>(null);
  const isAsking = ref(false);
  let askedAt = -Infinity;
  let again = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let abort = new AbortController();

  const after = (ms: number) => {
    clearTimeout(timer);
    timer = setTimeout(refresh, ms);
  };

  async function run(): Promise<void> {
    isAsking.value = true;
    askedAt = performance.now();
    const { signal } = abort;
    try {
      const answer = await ask(signal);
      if (signal.aborted) return;
      value.value = answer;
      problem.value = null;
      if (everyMs) after(everyMs);
    } catch (error) {
      if (signal.aborted) return;
      problem.value = error;
      if (error instanceof Problem && error.isPassing) after(RETRY_MS);
    } finally {
      isAsking.value = false;
    }
    if (again && !signal.aborted) {
      again = false;
      refresh();
    }
  }

  function refresh(): void {
    clearTimeout(timer);
    if (isAsking.value) again = true;
    else void run();
  }

  return {
    value,
    problem,
    isAsking,
    refresh,
    soon() {
      if (isAsking.value) again = true;
      else after(Math.max(askedAt + gapMs - performance.now(), 0));
    },
    stop() {
      clearTimeout(timer);
      abort.abort();
      abort = new AbortController();
    },
  };
}
