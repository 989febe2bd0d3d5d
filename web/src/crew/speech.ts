/** What is said of an offer: short, the place first after the fault. */
import { addressText } from "@/shared/format";
import { wordFor } from "@/shared/language";
import { wire } from "@/shared/wire-words";

import type { OpenOffer } from "./mirror";
import { t } from "./words";

export function spokenOffer({ order, distance_m, eta_s }: OpenOffer): string {
  const far = distance_m < 950 ? t.value.metres(Math.round(distance_m / 10) * 10) : t.value.kilometres((distance_m / 1000).toFixed(1));
  return t.value.speakOffer(
    wordFor(wire.value.category, order.category),
    addressText(order.address),
    far,
    Math.max(1, Math.ceil(eta_s / 60)),
  );
}
