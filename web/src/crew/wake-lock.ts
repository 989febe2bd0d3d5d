/** Keeps the screen on while on shift and looked at; browsers take the lock away when the page is hidden. */

let wanted = false;
let lock: WakeLockSentinel | null = null;

export function keepAwake(on: boolean): void {
  wanted = on;
  if (on) void take();
  else void lock?.release();
}

async function take(): Promise<void> {
  if (!wanted || document.visibilityState !== "visible" || (lock !== null && !lock.released)) return;
  // Refused at a low battery, or not known here: the screen goes dark as usual.
  lock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null;
}

document.addEventListener("visibilitychange", () => void take());
