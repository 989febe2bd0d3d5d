/**
 * What the technician said of his visits and the server has not acknowledged yet: kept on the phone (IndexedDB), sent in
 * order as soon as there is a connection, with the device's time of when it was said. The same id is sent again until it
 * is answered, and the server gives the same answer.
 */
import { shallowReactive } from "vue";

import type { HandBack, Progress, ProgressAck } from "@/api/sockets";

export type Word = Progress | HandBack;
export interface Entry {
  readonly word: Word;
  /** Sent over REST before the word, and then named in its evidence. */
  readonly photo?: Blob;
}

/** Where entries are kept between starts of the app. */
export interface Shelf {
  load(): Promise<Entry[]>;
  put(entry: Entry): Promise<void>;
  remove(id: string): Promise<void>;
  clear(): Promise<void>;
}

export interface OutboxSettings {
  readonly shelf: Shelf;
  /** Send a message now; false where there is no connection. */
  readonly send: (word: Word) => boolean;
  /** Send a photo and return its reference; throws a passing error where it should be tried again. */
  readonly sendPhoto: (photo: Blob) => Promise<string | null>;
  readonly onAnswer: (word: Word, ack: ProgressAck) => void;
}

export class Outbox {
  /** What waits, oldest first. */
  readonly entries = shallowReactive<Entry[]>([]);
  private working = false;

  constructor(private readonly settings: OutboxSettings) {}

  async load(): Promise<void> {
    const kept = await this.settings.shelf.load().catch(() => []);
    const here = new Set(this.entries.map((entry) => entry.word.id));
    this.entries.unshift(...kept.filter((entry) => !here.has(entry.word.id)));
  }

  /** Keep a word and send it when that can be. It is on the shelf before it is shown as said. */
  async add(entry: Entry): Promise<void> {
    await this.settings.shelf.put(entry).catch(() => undefined);
    this.entries.push(entry);
    await this.flush();
  }

  /** Send the oldest that waits; the next follows its answer, so that a visit's steps arrive in their order. */
  async flush(): Promise<void> {
    const entry = this.entries[0];
    if (entry === undefined || this.working) return;
    this.working = true;
    try {
      this.settings.send(await this.complete(entry));
    } catch {
      // The photo could not be sent now: the next connection tries again.
    } finally {
      this.working = false;
    }
  }

  /** Take the server's answer to a word; a refusal ends the word too, and is told. */
  async answered(ack: ProgressAck): Promise<void> {
    const index = this.entries.findIndex((entry) => entry.word.id === ack.id);
    if (index < 0) return;
    const [entry] = this.entries.splice(index, 1);
    this.settings.onAnswer(entry!.word, ack);
    await this.settings.shelf.remove(ack.id).catch(() => undefined);
    await this.flush();
  }

  async clear(): Promise<void> {
    this.entries.splice(0);
    await this.settings.shelf.clear().catch(() => undefined);
  }

  /** The newest word of an order that waits. */
  lastOf(order: string): Word | undefined {
    return this.entries.filter((entry) => entry.word.order === order).pop()?.word;
  }

  private async complete(entry: Entry): Promise<Word> {
    if (!entry.photo || entry.word.type !== "progress") return entry.word;
    const photo = await this.settings.sendPhoto(entry.photo);
    const word: Word = { ...entry.word, evidence: { ...entry.word.evidence, ...(photo ? { photo } : {}) } };
    const whole: Entry = { word };
    this.entries.splice(this.entries.indexOf(entry), 1, whole);
    await this.settings.shelf.put(whole).catch(() => undefined);
    return word;
  }
}
