/**
 * Rings, vibrates and speaks until each piece of news was acknowledged or is gone. What rings is a set of orders: when
 * it is empty, everything stops at once.
 */
import { reactive, ref } from "vue";

import { language } from "@/shared/language";

const EVERY_MS = 2_000;
const VIBRATION = [400, 120, 400];

/** The ids of the orders that ring now. */
export const ringing = reactive(new Set<string>());
/** Whether the browser lets us make a sound; it wants one touch of the page first. */
export const audible = ref(false);

let audio: AudioContext | null = null;
let timer: ReturnType<typeof setInterval> | undefined;

/** Call from a touch: browsers let a page sound only after one. */
export function allowSound(): void {
  try {
    audio ??= new AudioContext();
    void audio.resume().then(() => (audible.value = audio?.state === "running"));
  } catch {
    // No audio here: it vibrates and speaks.
  }
}

/** Ring for an order and say the text once. */
export function ring(order: string, text: string): void {
  if (ringing.has(order)) return;
  ringing.add(order);
  speak(text);
  void notify(order, text);
  if (timer === undefined) {
    timer = setInterval(sound, EVERY_MS);
    sound();
  }
}

/** The order is gone or was seen. */
export function hush(order: string): void {
  if (!ringing.delete(order)) return;
  void closeNotes(order);
  if (ringing.size === 0) silence();
}

/** Everything was seen. */
export function hushAll(): void {
  for (const order of [...ringing]) hush(order);
}

function silence(): void {
  clearInterval(timer);
  timer = undefined;
  globalThis.speechSynthesis?.cancel();
  navigator.vibrate?.(0);
}

function sound(): void {
  navigator.vibrate?.(VIBRATION);
  if (audio?.state !== "running") return;
  for (const [start, pitch] of [[0, 880], [0.22, 1175], [0.44, 880]] as const) {
    const [tone, volume] = [audio.createOscillator(), audio.createGain()];
    const at = audio.currentTime + start;
    tone.type = "square";
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.25, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + 0.2);
    tone.connect(volume).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.2);
  }
}

function speak(text: string): void {
  if (!("speechSynthesis" in globalThis)) return;
  const words = new SpeechSynthesisUtterance(text);
  words.lang = language.value === "zh" ? "zh-CN" : "en-US";
  speechSynthesis.speak(words);
}

/** Where the page is not looked at, the phone's own notification; it goes with the order. */
async function notify(order: string, text: string): Promise<void> {
  if (document.visibilityState === "visible" || !("Notification" in globalThis) || Notification.permission !== "granted") return;
  const worker = await navigator.serviceWorker?.getRegistration("/crew");
  if (!ringing.has(order)) return;
  await worker?.showNotification(text, { tag: order, requireInteraction: true, icon: "/icons/icon-192.png" });
}

async function closeNotes(order: string): Promise<void> {
  const worker = await navigator.serviceWorker?.getRegistration("/crew");
  for (const note of (await worker?.getNotifications({ tag: order })) ?? []) note.close();
}
