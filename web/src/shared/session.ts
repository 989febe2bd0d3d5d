/**
 * A socket session that outlives its sockets: it says hello with the position that it has seen, notices when nothing
 * comes any more, and opens another socket. What it knows and since when is in `state`.
 *
 * A half-open socket never fires `onclose`, not even after `close()`: its handlers are taken off and it is left behind.
 */
import { shallowRef } from "vue";

import { pauseMs } from "./backoff";
import { setServerTime } from "./server-time";

export type Ended = "signed_out" | "replaced" | "refused";
export type LinkState =
  /** Not connected yet since the page was opened. */
  | { readonly kind: "connecting" }
  /** What is shown is true now. */
  | { readonly kind: "connected" }
  /** What is shown was true at `since` (ms of this device's clock; null: never connected). It is tried again by itself. */
  | { readonly kind: "lost"; readonly since: number | null }
  /** Over until somebody signs in again. */
  | { readonly kind: "ended"; readonly why: Ended; readonly since: number };

export interface Position {
  readonly resume_after: number | null;
  readonly epoch?: string | null;
}

interface Opening {
  type: string;
  seq: number;
  epoch: string;
  server_time: string;
  resumed: boolean;
}

export interface SessionSettings<Down extends { type: string }> {
  /** `/ws/v1/crew` or `/ws/v1/console`. */
  readonly path: string;
  /** The type of the answer to hello: `welcome` or `snapshot`. */
  readonly opening: string;
  /** Fields of `hello` beside the position, such as the token. */
  readonly hello: () => object;
  /** Every message once, in order; the opening before those that follow it. */
  readonly onMessage: (message: Down) => void;
  /** Messages that carry a `seq` and do not move the position on; others with the same `seq` follow them. */
  readonly beside?: readonly string[];
  readonly open?: (url: string) => WebSocket;
  readonly random?: () => number;
}

const PING_EVERY_MS = 12_000;
const SILENCE_MS = 26_000;
const ANSWER_MS = 5_000;
const OPENING_MS = 10_000;
const ENDS: Readonly<Record<number, Ended>> = { 4401: "signed_out", 4409: "replaced", 4403: "refused" };

export class Session<Down extends { type: string }, Up extends { type: string }> {
  readonly state = shallowRef<LinkState>({ kind: "connecting" });
  /** When the server was last heard, ms of this device's clock. */
  heardAt = Date.now();
  private seq: number | null = null;
  private epoch: string | null = null;
  private socket: WebSocket | null = null;
  private opened = false;
  private attempts = 0;
  private helloAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = false;

  constructor(private readonly settings: SessionSettings<Down>) {}

  start(): void {
    addEventListener("online", this.wake);
    addEventListener("pageshow", this.wake);
    document.addEventListener("visibilitychange", this.wake);
    this.connect();
  }

  /** End for good; the page may start another. */
  stop(): void {
    this.stopped = true;
    removeEventListener("online", this.wake);
    removeEventListener("pageshow", this.wake);
    document.removeEventListener("visibilitychange", this.wake);
    this.leave();
  }

  /** Send now; false where there is no connection, and nothing was sent. */
  send(message: Up): boolean {
    if (!this.opened || this.socket?.readyState !== 1) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Begin anew on another socket, for instance to say another hello; `afresh` asks for a whole snapshot. */
  restart({ afresh = false } = {}): void {
    if (afresh) this.seq = this.epoch = null;
    this.attempts = 0;
    this.leave();
    this.connect();
  }

  /** The page is looked at again, or the network is back: make sure that the socket lives, at once. */
  readonly wake = (): void => {
    if (this.stopped || this.state.value.kind === "ended" || document.visibilityState === "hidden") return;
    this.attempts = 0;
    if (this.opened) this.ask(ANSWER_MS);
    else if (this.socket === null) this.connect();
  };

  private connect(): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${this.settings.path}`;
    const socket = (this.settings.open ?? ((to) => new WebSocket(to, "qiangdan.v1")))(url);
    this.socket = socket;
    this.timer = setTimeout(() => this.lost(), OPENING_MS);
    socket.onopen = () => {
      const position: Position = { resume_after: this.seq, ...(this.epoch ? { epoch: this.epoch } : {}) };
      this.helloAt = Date.now();
      socket.send(JSON.stringify({ type: "hello", ...this.settings.hello(), ...position }));
    };
    socket.onmessage = (event) => this.hear(JSON.parse(event.data as string) as Down);
    socket.onclose = (event) => this.closed(event.code);
  }

  private hear(message: Down): void {
    this.heardAt = Date.now();
    if (message.type === this.settings.opening) this.begin(message as unknown as Opening);
    else if (!this.isNew(message)) return this.watch();
    this.watch();
    this.settings.onMessage(message);
  }

  private begin(opening: Opening): void {
    this.opened = true;
    this.attempts = 0;
    if (!opening.resumed) this.seq = opening.seq;
    this.epoch = opening.epoch;
    setServerTime(Date.parse(opening.server_time), (this.helloAt + this.heardAt) / 2);
    this.state.value = { kind: "connected" };
  }

  private isNew(message: Down): boolean {
    const seq = (message as { seq?: number }).seq;
    if (seq === undefined || this.settings.beside?.includes(message.type)) return true;
    if (this.seq !== null && seq <= this.seq) return false;
    this.seq = seq;
    return true;
  }

  /** Wait for the next sign of life; ask for one after a while of silence. */
  private watch(): void {
    if (!this.opened) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(SILENCE_MS - PING_EVERY_MS), PING_EVERY_MS);
  }

  private ask(withinMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.lost(), withinMs);
    this.send({ type: "ping" } as Up);
  }

  private closed(code: number): void {
    const why = ENDS[code];
    if (why === undefined) return this.lost(code === 1012 ? 1 : undefined);
    this.leave();
    this.state.value = { kind: "ended", why, since: this.heardAt };
  }

  private lost(attempt?: number): void {
    if (this.state.value.kind !== "lost") {
      this.state.value = { kind: "lost", since: this.state.value.kind === "connected" ? this.heardAt : null };
    }
    this.leave();
    this.attempts = attempt ?? this.attempts + 1;
    const pause = pauseMs(this.attempts, (this.settings.random ?? Math.random)());
    this.timer = setTimeout(() => this.connect(), pause);
  }

  private leave(): void {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    this.opened = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = socket.onerror = null;
    socket.close();
  }
}
