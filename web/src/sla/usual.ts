/** On which days rests what is usual: said in words, since a median of four Sundays is not one of twenty-eight days. */
import type { Hour } from "@/api/rest";

import { dayOf, mondayOf } from "./city-time";
import { t } from "./words";

/** The days that the usual numbers of some hours rest on. */
export function restsOn(hours: readonly Hour[], zone: string): string {
  const known = hours.filter((hour) => hour.usual !== null);
  const alike = known.filter((hour) => hour.usual?.of === "weekday");
  const others = known.filter((hour) => hour.usual?.of === "all");
  if (!alike.length) return t.value.usualOf.all(span(others));
  if (others.length) return t.value.usualOf.mixed(span(alike), span(others));
  const weekdays = new Set(alike.map((hour) => weekdayOf(Date.parse(hour.hour), zone)));
  const [only] = weekdays;
  return weekdays.size === 1 ? t.value.usualOf.sameDay(span(alike), only!) : t.value.usualOf.sameWeekday(span(alike));
}

function span(hours: readonly Hour[]): string {
  const days = hours.map((hour) => hour.usual?.days ?? 0);
  const [least, most] = [Math.min(...days), Math.max(...days)];
  return least === most ? `${most}` : `${least}–${most}`;
}

/** Monday is 0. */
function weekdayOf(ms: number, zone: string): number {
  const day = dayOf(ms, zone);
  return Math.round((Date.parse(day) - Date.parse(mondayOf(day))) / 86_400_000);
}
