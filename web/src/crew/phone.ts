/** The phone app's one composition root: session, what is known, what waits to be sent, where it is, what rings. */
import { computed, reactive, ref, shallowRef, watch } from "vue";

import type { FromCrew, HandBack, Location, Order, Progress, ToCrew } from "@/api/sockets";
import { Problem, problemOf } from "@/shared/api";
import { addressText, newId } from "@/shared/format";
import { wordFor } from "@/shared/language";
import { Session } from "@/shared/session";
import { recall, remember } from "@/shared/storage";
import { wire } from "@/shared/wire-words";

import { allowSound, hush, hushAll, ring, ringing } from "./alarm";
import { DemoDrive } from "./demo-drive";
import * as grabs from "./grabs";
import { fold, heldOrders, type Known, nothingKnown, type OpenOffer, openOffers } from "./mirror";
import { Outbox } from "./outbox";
import { shelf } from "./shelf";
import { spokenOffer } from "./speech";
import { keepAwake } from "./wake-lock";
import { Whereabouts } from "./whereabouts";
import { t } from "./words";

const KNOWN = "qiangdan.crew.known";

export interface News {
  readonly kind: "good" | "bad" | "plain";
  readonly text: string;
  readonly more?: string;
  /** Whether it is about an order that this crew holds now. */
  readonly mine?: boolean;
  /** The next best order, where a grab was lost. */
  readonly next?: OpenOffer;
}

interface Kept {
  known: Known;
  asOf: number;
}

/** The app of one signed-in technician; `stop` it at sign-out, or where its token is refused. */
export function startPhone(token: string, demoAt: Promise<Location | null>) {
  const kept = readKept();
  const known = reactive<Known>(kept?.known ?? nothingKnown());
  const asOf = ref<number | null>(kept?.asOf ?? null);
  const news = shallowRef<News | null>(null);
  const wanted = ref<{ on: boolean; at: number } | null>(null);
  const finished = ref(0);

  const session = new Session<ToCrew, FromCrew>({
    path: "/ws/v1/crew",
    opening: "welcome",
    beside: ["grab_result", "grab_ack", "progress_ack", "error", "pong"],
    hello: () => ({ token }),
    onMessage: hear,
  });
  const outbox = new Outbox({
    shelf,
    send: (word) => session.send(word),
    sendPhoto: (photo) => sendPhoto(token, photo, (problem) => tell("bad", t.value.refused(t.value.photo, problem.detail))),
    onAnswer(word, ack) {
      const what = word.type === "hand_back" ? t.value.handBack : wordFor(wire.value.state, word.to);
      if (ack.error) tell("bad", t.value.refused(what, ack.detail ?? ack.error));
      else if (word.type === "progress" && word.to === "resolved") finished.value += 1;
    },
  });
  const drive = demoAt.then((place) => place && new DemoDrive(place));
  const whereabouts = new Whereabouts((position) => session.send(position), drive);

  function hear(message: ToCrew): void {
    const before = new Set(Object.keys(known.offers));
    const held = new Set(Object.keys(known.orders));
    if (fold(known, message)) {
      asOf.value = Date.now();
      keep();
    }
    if (message.type === "welcome") welcomed();
    else if (message.type === "grab_ack") grabs.bidIsIn(message);
    else if (message.type === "grab_result") judged(message);
    else if (message.type === "progress_ack") void answered(message);
    else if (message.type === "assigned") given(message.order, message.by);
    else if (message.type === "revoked" && held.has(message.order)) lost(message.by, message.reason);
    else if (message.type === "shift_changed" && message.by === "dispatcher") shiftChanged(message.on, message.reason);
    else if (message.type === "error") refused(message);
    for (const { order } of openOffers(known)) if (!before.has(order.id)) ring(order.id, spokenOffer(known.offers[order.id]!));
    settleRinging();
  }

  function welcomed(): void {
    if (wanted.value && wanted.value.on !== known.onShift && Date.now() - wanted.value.at < 600_000) {
      session.send({ type: "shift", on: wanted.value.on });
      known.onShift = wanted.value.on;
    }
    wanted.value = null;
    for (const grab of grabs.unanswered()) session.send(grab);
    whereabouts.repeat();
    void outbox.flush();
  }

  function judged(result: Extract<ToCrew, { type: "grab_result" }>): void {
    if (!grabs.judged(result)) return;
    if (result.won) {
      news.value = { kind: "good", text: t.value.yours, mine: true };
      return;
    }
    const next = openOffers(known).find((offer) => offer.order.id !== result.order && !(offer.order.id in grabs.asked));
    news.value = { kind: "bad", text: t.value.notYours(wordFor(wire.value.grabReason, result.reason)), ...(next ? { next } : {}) };
  }

  async function answered(ack: Extract<ToCrew, { type: "progress_ack" }>): Promise<void> {
    await outbox.answered(ack);
  }

  function given(order: Order, by: string): void {
    const who = wordFor(t.value.by, by);
    news.value = { kind: "plain", text: t.value.assigned(who), more: orderText(order), mine: true };
    hush(order.id); // it may have rung as an offer
    ring(order.id, t.value.speakAssigned(wordFor(wire.value.category, order.category), addressText(order.address)));
  }

  function lost(by: string, reason: string | null): void {
    if (by === "crew") tell("plain", t.value.handedBack);
    else tell("bad", t.value.revoked(reason ?? ""));
  }

  function shiftChanged(on: boolean, reason: string | null | undefined): void {
    wanted.value = null;
    tell(on ? "plain" : "bad", t.value.shiftChanged(on), reason ?? "");
  }

  function refused(message: Extract<ToCrew, { type: "error" }>): void {
    const grab = Object.values(grabs.asked).find((one) => one.id === message.id);
    if (grab) grabs.drop(grab.order);
    if (message.id) void outbox.answered({ type: "progress_ack", id: message.id, order: "", error: message.code, detail: message.detail });
    if (grab || !message.id) tell("bad", message.detail);
  }

  /** What is gone stops ringing, everywhere. */
  function settleRinging(): void {
    for (const order of [...ringing]) if (!(order in known.offers) && !(order in known.orders)) hush(order);
    for (const order of Object.keys(grabs.asked)) if (order in known.orders) grabs.drop(order);
  }

  function tell(kind: News["kind"], text: string, more?: string): void {
    news.value = { kind, text, ...(more ? { more } : {}) };
  }

  function keep(): void {
    remember(KNOWN, JSON.stringify({ known, asOf: asOf.value } satisfies { known: Known; asOf: number | null }));
  }

  const connected = computed(() => session.state.value.kind === "connected");
  watch(
    () => known.onShift,
    (on) => {
      keepAwake(on);
      if (on) void whereabouts.start();
      else {
        whereabouts.stop();
        hushAll();
      }
    },
    { immediate: true },
  );
  watch(
    () => Object.values(known.orders).find((order) => order.state === "en_route")?.location ?? null,
    (goal) => void drive.then((van) => van?.goTo(goal)),
    { immediate: true },
  );
  watch(session.state, (state) => state.kind === "ended" && hushAll());
  void outbox.load().then(() => outbox.flush());
  session.start();

  return {
    session,
    outbox,
    known,
    asOf,
    news,
    connected,
    finished,
    where: whereabouts.where,
    offers: computed(() => openOffers(known)),
    orders: computed(() => heldOrders(known)),
    shift(on: boolean): void {
      allowSound();
      if (on && "Notification" in globalThis && Notification.permission === "default") void Notification.requestPermission();
      wanted.value = session.send({ type: "shift", on }) ? null : { on, at: Date.now() };
      known.onShift = on;
      if (!on) known.offers = {};
      keep();
    },
    grab(order: string): void {
      hush(order);
      allowSound();
      if (!(order in grabs.asked)) session.send(grabs.ask(order));
    },
    decline(order: string): void {
      hush(order);
      known.declined[order] = true;
      session.send({ type: "decline", id: newId(), order });
    },
    say(word: Omit<Progress, "id" | "at" | "type">, photo?: Blob): Promise<void> {
      return outbox.add({ word: { type: "progress", ...word, ...stamp() }, ...(photo ? { photo } : {}) });
    },
    handBack(order: string, reason: HandBack["reason"]): Promise<void> {
      return outbox.add({ word: { type: "hand_back", order, reason, ...stamp() } });
    },
    /** End; `forget` also what was not sent, which a refused token is no reason for. */
    async stop({ forget }: { forget: boolean }): Promise<void> {
      session.stop();
      whereabouts.stop();
      keepAwake(false);
      hushAll();
      grabs.dropAll();
      remember(KNOWN, null);
      if (forget) await outbox.clear();
    },
  };
}

export type Phone = ReturnType<typeof startPhone>;

const stamp = () => ({ id: newId(), at: new Date().toISOString() });
const orderText = (order: Order) => [wordFor(wire.value.category, order.category), addressText(order.address)].filter(Boolean).join(" · ");

function readKept(): Kept | null {
  try {
    return JSON.parse(recall(KNOWN) ?? "null") as Kept | null;
  } catch {
    return null;
  }
}

/** Send a photo; null where the server will never take it, which `onRefused` is told. */
async function sendPhoto(token: string, photo: Blob, onRefused: (problem: Problem) => void): Promise<string | null> {
  const answer = await fetch("/api/v1/photos", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": photo.type },
    body: photo,
  });
  const read: unknown = await answer.json().catch(() => null);
  if (answer.ok) return (read as { photo: string }).photo;
  const problem = problemOf(answer.status, read);
  if (problem.isPassing) throw problem;
  onRefused(problem);
  return null;
}
