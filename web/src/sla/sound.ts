/** The wallboard's bell: two tones, made by the browser itself. Browsers hold sound back until the page was touched. */
import { ref } from "vue";

import { recall, remember } from "@/shared/storage";

const KEY = "qiangdan.sla.sound";

export const isSoundOn = ref(recall(KEY) !== "off");
/** The browser waits for somebody to touch the page before it lets any sound out. */
export const isSoundBlocked = ref(false);

let context: AudioContext | null = null;

function opened(): AudioContext | null {
  if (typeof AudioContext === "undefined") return null;
  context ??= new AudioContext();
  context.onstatechange = () => (isSoundBlocked.value = context?.state === "suspended");
  return context;
}

/** Look whether the bell could be heard. */
export function trySound(): void {
  const audio = isSoundOn.value ? opened() : null;
  isSoundBlocked.value = audio?.state === "suspended";
}

/** Turn the bell on or off; a touch, so that the browser lets it be heard from now on. */
export async function switchSound(): Promise<void> {
  if (isSoundOn.value && !isSoundBlocked.value) {
    isSoundOn.value = false;
    remember(KEY, "off");
    return;
  }
  isSoundOn.value = true;
  remember(KEY, null);
  await opened()?.resume();
  chime();
}

/** Ring once. */
export function chime(): void {
  const audio = isSoundOn.value ? opened() : null;
  if (audio === null) return;
  if (audio.state === "suspended") {
    isSoundBlocked.value = true;
    return;
  }
  [880, 660, 880, 660].forEach((hertz, n) => {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const begins = audio.currentTime + n * 0.28;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, begins);
    volume.gain.exponentialRampToValueAtTime(0.4, begins + 0.03);
    volume.gain.exponentialRampToValueAtTime(0.0001, begins + 0.26);
    tone.connect(volume).connect(audio.destination);
    tone.start(begins);
    tone.stop(begins + 0.27);
  });
}
