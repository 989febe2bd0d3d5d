import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { Session } from "./session";

interface Told {
  type: string;
  seq?: number;
}

/** A socket as the browser's, driven by the test. */
class Line {
  static readonly all: Line[] = [];
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  onerror: (() => void) | null = null;
  constructor() {
    Line.all.push(this);
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }
  close(): void {
    this.readyState = 3; // half-open: no onclose comes
  }
  welcome(seq: number, { resumed = false, epoch = "e" } = {}): void {
    this.readyState = 1;
    this.onopen?.();
    this.tell({ type: "welcome", seq, epoch, resumed, server_time: "2026-01-01T00:00:10Z" } as Told);
  }
  tell(message: Told): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

const heard: Told[] = [];
const session = () =>
  new Session<Told, { type: string }>({
    path: "/ws",
    opening: "welcome",
    beside: ["grab_result"],
    hello: () => ({ token: "t" }),
    onMessage: (message) => heard.push(message),
    open: () => new Line() as unknown as WebSocket,
    random: () => 1,
  });
const last = () => Line.all[Line.all.length - 1]!;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-01-01T00:00:00Z") });
  Line.all.length = heard.length = 0;
  vi.stubGlobal("location", { protocol: "https:", host: "h" });
  vi.stubGlobal("document", { addEventListener() {}, removeEventListener() {}, visibilityState: "visible" });
  vi.stubGlobal("addEventListener", () => {});
  vi.stubGlobal("removeEventListener", () => {});
});
afterEach(() => vi.useRealTimers());

test("the first hello asks for everything, the next ones from the position that was seen", () => {
  const it = session();
  it.start();
  last().welcome(7);
  expect(last().sent[0]).toEqual({ type: "hello", token: "t", resume_after: null });
  last().tell({ type: "offer", seq: 9 });
  last().onclose?.({ code: 1006 });
  expect(it.state.value.kind).toBe("lost");
  vi.advanceTimersByTime(400);
  last().welcome(9, { resumed: true });
  expect(last().sent[0]).toEqual({ type: "hello", token: "t", resume_after: 9, epoch: "e" });
  expect(it.state.value.kind).toBe("connected");
});

test("what was seen before is not told again, and a verdict does not hide what comes with it", () => {
  session().start();
  last().welcome(7);
  last().tell({ type: "grab_result", seq: 8 });
  last().tell({ type: "offer_closed", seq: 8 });
  last().tell({ type: "offer_closed", seq: 8 });
  last().tell({ type: "offer", seq: 3 });
  expect(heard.map((message) => message.type)).toEqual(["welcome", "grab_result", "offer_closed"]);
});

test("a socket that goes silent is left behind, though it never says that it closed", () => {
  const it = session();
  it.start();
  last().welcome(7);
  const dead = last();
  vi.advanceTimersByTime(12_000);
  expect(dead.sent[dead.sent.length - 1]).toEqual({ type: "ping" });
  vi.advanceTimersByTime(14_000);
  expect(it.state.value).toEqual({ kind: "lost", since: Date.parse("2026-01-01T00:00:00Z") });
  vi.advanceTimersByTime(400);
  expect(Line.all).toHaveLength(2);
  dead.tell({ type: "offer", seq: 8 });
  expect(heard).toHaveLength(1);
});

test("a phone that wakes up does not wait for the usual pause", () => {
  const it = session();
  it.start();
  last().welcome(7);
  it.wake();
  vi.advanceTimersByTime(5_000);
  expect(it.state.value.kind).toBe("lost");
});

test("a bad token, and another device, end the session until somebody acts", () => {
  for (const [code, why] of [[4401, "signed_out"], [4409, "replaced"]] as const) {
    const it = session();
    it.start();
    last().welcome(7);
    last().onclose?.({ code });
    expect(it.state.value).toMatchObject({ kind: "ended", why });
    const sockets = Line.all.length;
    vi.advanceTimersByTime(60_000);
    expect(Line.all).toHaveLength(sockets);
  }
});

test("who never got through is told so, without a time that means nothing", () => {
  const it = session();
  it.start();
  last().onclose?.({ code: 1006 });
  expect(it.state.value).toEqual({ kind: "lost", since: null });
});
