/** Light or dark: as the device says, unless somebody chose on this one. */
import { ref, watchEffect } from "vue";

import { recall, remember } from "@/shared/storage";

export type Light = "light" | "dark";

const KEY = "qiangdan.sla.light";
const device = matchMedia("(prefers-color-scheme: dark)");
const deviceLight = ref<Light>(device.matches ? "dark" : "light");
const kept = recall(KEY);
const chosen = ref<Light | null>(kept === "light" || kept === "dark" ? kept : null);
/** A page that is paper is light whatever the room is. */
const paper = ref(false);

device.addEventListener("change", (event) => (deviceLight.value = event.matches ? "dark" : "light"));

export const light = ref<Light>("light");

watchEffect(() => {
  light.value = paper.value ? "light" : (chosen.value ?? deviceLight.value);
  const root = document.documentElement;
  if (paper.value || chosen.value) root.dataset.theme = light.value;
  else delete root.dataset.theme;
});

export function switchLight(): void {
  chosen.value = light.value === "dark" ? "light" : "dark";
  remember(KEY, chosen.value);
}

export const usePaper = (on: boolean): void => void (paper.value = on);
