/** Values as people read them. */

/** Seconds as 4:05, 1:02:03, or -0:30 past zero. */
export function clockText(seconds: number): string {
  const whole = Math.abs(Math.trunc(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return `${seconds <= -1 ? "-" : ""}${h ? `${h}:${two(m)}` : m}:${two(s)}`;
}

/** Seconds until a moment of the server's time; negative past it. */
export const secondsUntil = (moment: string, nowMs: number): number => (Date.parse(moment) - nowMs) / 1000;

/** 850 m, 1.2 km, 14 km. */
export function distanceText(metres: number): string {
  if (metres < 950) return `${Math.round(metres / 10) * 10} m`;
  return metres < 9_950 ? `${(metres / 1000).toFixed(1)} km` : `${Math.round(metres / 1000)} km`;
}

/** An hour and minute of this device's clock, with the day where it is not today's. */
export function timeText(ms: number, nowMs = Date.now()): string {
  const [then, now] = [new Date(ms), new Date(nowMs)];
  const time = `${String(then.getHours()).padStart(2, "0")}:${String(then.getMinutes()).padStart(2, "0")}`;
  return then.toDateString() === now.toDateString() ? time : `${then.getMonth() + 1}-${then.getDate()} ${time}`;
}

/** An address as one line; reporters send it as one text or in parts. */
export function addressText(address: Readonly<Record<string, unknown>> | null | undefined): string {
  if (!address) return "";
  if (typeof address.text === "string") return address.text;
  return Object.values(address)
    .filter((part) => typeof part === "string" || typeof part === "number")
    .join(" ");
}

/** A city's name; the city of the first start bears its id until somebody names it. */
export const cityText = (name: string | null | undefined): string => (name && name !== "default" ? name : "");

/** A random id; `crypto.randomUUID` is missing on plain http pages. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
