/** Times and distances as a dispatcher says them. */
import { language } from "@/shared/language";

/** 40 seconds, 6 minutes, 1 h 05: rounded so that it can be said aloud. */
export function durationText(seconds: number): string {
  const zh = language.value === "zh";
  const s = Math.abs(Math.round(seconds));
  if (s < 60) return zh ? `${s} 秒` : `${s} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return zh ? `${minutes} 分钟` : `${minutes} min`;
  const [h, m] = [Math.floor(minutes / 60), minutes % 60];
  if (h >= 48) return zh ? `${Math.round(h / 24)} 天` : `${Math.round(h / 24)} days`;
  return zh ? `${h} 小时${m ? ` ${m} 分` : ""}` : `${h} h${m ? ` ${m} min` : ""}`;
}

/** What people call an order: the end of its id. */
export const shortId = (id: string): string => id.slice(-6);
