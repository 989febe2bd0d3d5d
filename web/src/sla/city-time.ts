/** Days and hours as the city's wall clock has them, whatever this device believes. */

const formats = new Map<string, Intl.DateTimeFormat>();

function partsOf(ms: number, zone: string): Record<string, string> {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]));
}

/** The day of the calendar, 2026-01-15. */
export function dayOf(ms: number, zone: string): string {
  const { year, month, day } = partsOf(ms, zone);
  return `${year}-${month}-${day}`;
}

/** The hour and minute, 08:30; with `seconds` 08:30:00. */
export function timeOf(ms: number, zone: string, seconds = false): string {
  const { hour, minute, second } = partsOf(ms, zone);
  return seconds ? `${hour}:${minute}:${second}` : `${hour}:${minute}`;
}

/** The time, with the day where it is not that of `nowMs`: 08:30, or 01-15 08:30. */
export function shortTime(ms: number, nowMs: number, zone: string): string {
  const day = dayOf(ms, zone);
  return day === dayOf(nowMs, zone) ? timeOf(ms, zone) : `${day.slice(5)} ${timeOf(ms, zone)}`;
}

/** When a day begins, ms; on a day without a midnight, its first moment. */
export function startOfDay(day: string, zone: string): number {
  const guess = Date.parse(`${day}T00:00:00Z`);
  const first = guess - offsetAt(guess, zone);
  return guess - offsetAt(first, zone);
}

/** Another day, so many days later. */
export function addDays(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
}

/** The Monday of a day's week. */
export function mondayOf(day: string): string {
  const weekday = (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
  return addDays(day, -weekday);
}

function offsetAt(ms: number, zone: string): number {
  const { year, month, day, hour, minute, second } = partsOf(ms, zone);
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`) - Math.floor(ms / 1000) * 1000;
}
