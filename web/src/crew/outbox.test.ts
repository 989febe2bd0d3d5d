import "fake-indexeddb/auto";

import { beforeEach, expect, test } from "vitest";

import type { Progress } from "@/api/sockets";

import { Outbox, type Word } from "./outbox";
import { shelf } from "./shelf";

const word = (id: string, to: Progress["to"]): Progress => ({ type: "progress", id, order: "o", to, at: "2026-01-15T08:00:00Z" });
let online = false;
let sent: Word[] = [];
let told: string[] = [];

function box({ photos = () => Promise.resolve<string | null>("p1") } = {}): Outbox {
  return new Outbox({
    shelf,
    send: (one) => {
      if (online) sent.push(one);
      return online;
    },
    sendPhoto: photos,
    onAnswer: (one, ack) => told.push(`${one.id} ${ack.error ?? ack.state}`),
  });
}

beforeEach(async () => {
  [online, sent, told] = [false, [], []];
  await shelf.clear();
});

test("what is said offline outlives the app and goes out in its order, one answer at a time", async () => {
  await box().add({ word: word("1", "en_route") });
  const first = box();
  await first.load();
  await first.add({ word: word("2", "arrived") });
  const later = box();
  await later.load();
  expect(later.entries.map((entry) => entry.word.id)).toEqual(["1", "2"]);
  online = true;
  await later.flush();
  expect(sent.map(({ id }) => id)).toEqual(["1"]);
  await later.answered({ type: "progress_ack", id: "1", order: "o", state: "en_route" });
  expect(sent.map(({ id }) => id)).toEqual(["1", "2"]);
  await later.answered({ type: "progress_ack", id: "2", order: "o", error: "not_yours" });
  expect(told).toEqual(["1 en_route", "2 not_yours"]);
  const after = box();
  await after.load();
  expect(after.entries).toHaveLength(0);
});

test("a photo goes first, and once", async () => {
  online = true;
  let uploads = 0;
  const it = box({ photos: () => Promise.resolve(`p${++uploads}`) });
  await it.add({ word: word("1", "resolved"), photo: new Blob(["x"]) });
  await it.flush();
  expect(sent.map((one) => "evidence" in one && one.evidence?.photo)).toEqual(["p1", "p1"]);
  expect(uploads).toBe(1);
});

test("a photo that cannot be sent now holds its word back, and loses nothing", async () => {
  online = true;
  const it = box({ photos: () => Promise.reject(new Error("no network")) });
  await it.add({ word: word("1", "resolved"), photo: new Blob(["x"]) });
  expect(sent).toEqual([]);
  expect(it.entries).toHaveLength(1);
});

test("a photo that the server refuses does not hold its word back", async () => {
  online = true;
  const it = box({ photos: () => Promise.resolve(null) });
  await it.add({ word: word("1", "resolved"), photo: new Blob(["x"]) });
  expect(sent).toHaveLength(1);
});
