/** The server's time, as far as this device knows it: phones have wrong clocks, deadlines are the server's. */
import { readonly, ref } from "vue";

const offset = ref(0);

/** The server said `serverMs` at the moment that this device calls `deviceMs`. */
export function setServerTime(serverMs: number, deviceMs: number): void {
  if (Number.isFinite(serverMs)) offset.value = serverMs - deviceMs;
}

/** How much this device's clock is behind the server's, ms. */
export const serverOffset = readonly(offset);

/** What the server's clock shows at this moment, ms. */
export const serverNow = (): number => Date.now() + offset.value;

/** The server's time as it passes, ms, for countdowns: once a second. */
export const serverClock = ref(serverNow());

if (typeof document !== "undefined") {
  setInterval(() => (serverClock.value = serverNow()), 1000);
  document.addEventListener("visibilitychange", () => (serverClock.value = serverNow()));
}
