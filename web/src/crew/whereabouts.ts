/** Where the phone is: watched on shift alone, sent as WGS-84, asked for again while an order is held (an arrival is proved by two fixes). */
import { ref } from "vue";

import type { Position } from "@/api/sockets";

import type { DemoDrive } from "./demo-drive";

export type Where =
  | { readonly kind: "off" | "waiting" | "denied" | "unavailable" | "unsupported" | "insecure" }
  | { readonly kind: "known"; readonly accuracy: number; readonly at: number };

interface Fix {
  readonly coords: Pick<GeolocationCoordinates, "longitude" | "latitude" | "accuracy">;
  readonly timestamp: number;
}

const LEAST_MS = 3_000;
const ASK_EVERY_MS = 6_000;
const FRESH: PositionOptions = { enableHighAccuracy: true, maximumAge: 2_000, timeout: 20_000 };

export class Whereabouts {
  readonly where = ref<Where>({ kind: "off" });
  private watching: number | null = null;
  private timer: ReturnType<typeof setInterval> | undefined;
  private sentAt = 0;
  private wish = 0;
  private last: Position | null = null;

  /** `send` is called with each fix worth sending. A demo's `drive` takes the place of GPS. */
  constructor(
    private readonly send: (position: Position) => void,
    private readonly drive: Promise<DemoDrive | null>,
  ) {}

  async start(): Promise<void> {
    const wanted = ++this.wish;
    const drive = await this.drive;
    if (this.wish !== wanted || this.timer !== undefined) return;
    if (drive) return this.startDriving(drive);
    if (!("geolocation" in navigator)) return this.cannot("unsupported");
    if (!isSecureContext) return this.cannot("insecure");
    this.where.value = { kind: "waiting" };
    this.watching = navigator.geolocation.watchPosition(this.take, this.fail, FRESH);
    this.timer = setInterval(() => navigator.geolocation.getCurrentPosition(this.take, () => undefined, FRESH), ASK_EVERY_MS);
  }

  stop(): void {
    this.wish += 1;
    if (this.watching !== null) navigator.geolocation.clearWatch(this.watching);
    clearInterval(this.timer);
    this.timer = undefined;
    this.watching = null;
    this.last = null;
    this.sentAt = 0;
    this.where.value = { kind: "off" };
  }

  /** Tell the newest fix once more, to a server that has just come back. */
  repeat(): void {
    if (this.last !== null) this.send(this.last);
  }

  private startDriving(drive: DemoDrive): void {
    const look = () => {
      const { lon, lat } = drive.after(LEAST_MS / 1000);
      this.take({ coords: { longitude: lon, latitude: lat, accuracy: 8 }, timestamp: Date.now() });
    };
    this.timer = setInterval(look, LEAST_MS);
    look();
  }

  private readonly take = ({ coords, timestamp }: Fix): void => {
    if (this.timer === undefined) return;
    this.where.value = { kind: "known", accuracy: Math.round(coords.accuracy), at: Date.now() };
    this.last = {
      type: "position",
      lon: coords.longitude,
      lat: coords.latitude,
      accuracy_m: coords.accuracy,
      at: new Date(timestamp).toISOString(),
    };
    if (Date.now() - this.sentAt < LEAST_MS - 200) return;
    this.sentAt = Date.now();
    this.send(this.last);
  };

  private readonly fail = (error: GeolocationPositionError): void => {
    if (error.code === error.PERMISSION_DENIED) this.cannot("denied");
    else if (this.where.value.kind !== "known") this.where.value = { kind: "unavailable" };
  };

  private cannot(kind: "denied" | "unsupported" | "insecure"): void {
    this.stop();
    this.where.value = { kind };
  }
}
