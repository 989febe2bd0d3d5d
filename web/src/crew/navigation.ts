/** The way to the door: in Amap's app, which wants GCJ-02, and by copying the address where no app can be started. */
import gcoord from "gcoord";

import type { Location } from "@/api/sockets";

/** The address that starts Amap's navigation on this kind of phone; elsewhere a plain `geo:` one. */
export function navigationLink(place: Location, name: string, userAgent: string): string {
  const [lon, lat] = gcoord.transform([place.lon, place.lat], gcoord.WGS84, gcoord.GCJ02);
  const to = `dlat=${lat.toFixed(6)}&dlon=${lon.toFixed(6)}&dname=${encodeURIComponent(name)}&dev=0&t=0`;
  if (/android/i.test(userAgent)) return `amapuri://route/plan/?sourceApplication=qiangdan&${to}`;
  if (/iphone|ipad|ipod/i.test(userAgent)) return `iosamap://path?sourceApplication=qiangdan&${to}`;
  return `geo:${place.lat.toFixed(6)},${place.lon.toFixed(6)}`;
}

/** Copy a text; false where the browser forbids it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyOldWay(text);
  }
}

function copyOldWay(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
