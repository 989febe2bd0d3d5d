/** REST, typed by the contract: `await api(token).get("/orders/{order_id}", { path: { order_id } })`. */
import type { Routes } from "@/api/routes";

/** What the server said is wrong, in its own words; `code` is stable, `errors` point at fields. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: readonly { pointer: string; detail: string }[] = [],
    /** The whole document: a conflict also carries the order as it is now. */
    readonly document: Readonly<Record<string, unknown>> = {},
  ) {
    super(detail);
  }

  /** Whether asking again later may help. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 503 || this.status === 502 || this.status === 504;
  }
}

type Route = keyof Routes;
type Of<Method extends string> = Extract<Route, `${Method} ${string}`> extends `${Method} ${infer Path}` ? Path : never;
type Empty<T> = keyof T extends never ? true : false;
type Given<R extends Route> = (Empty<Routes[R]["path"]> extends true ? { path?: never } : { path: Routes[R]["path"] }) &
  (Empty<Routes[R]["query"]> extends true ? { query?: never } : { query?: Routes[R]["query"] }) &
  ([Routes[R]["body"]] extends [never] ? { body?: never } : { body: Routes[R]["body"] }) & {
    /** Idempotency-Key of a POST: the same for every try of the same command. */
    key?: string;
    signal?: AbortSignal;
  };
type Arguments<R extends Route> = Partial<Record<string, never>> extends Given<R> ? [given?: Given<R>] : [given: Given<R>];

export interface Api {
  get<P extends Of<"GET">>(path: P, ...given: Arguments<`GET ${P}` & Route>): Promise<Routes[`GET ${P}` & Route]["answer"]>;
  post<P extends Of<"POST">>(path: P, ...given: Arguments<`POST ${P}` & Route>): Promise<Routes[`POST ${P}` & Route]["answer"]>;
  put<P extends Of<"PUT">>(path: P, ...given: Arguments<`PUT ${P}` & Route>): Promise<Routes[`PUT ${P}` & Route]["answer"]>;
}

interface AnyGiven {
  path?: Record<string, string>;
  query?: Record<string, unknown>;
  body?: unknown;
  key?: string;
  signal?: AbortSignal;
}

/** The routes as the holder of a token may use them; every failure is a `Problem`. */
export function api(token: string | null): Api {
  const call = (method: string) => (path: string, given: AnyGiven = {}) => request(method, path, given, token);
  return { get: call("GET"), post: call("POST"), put: call("PUT") } as unknown as Api;
}

async function request(method: string, path: string, given: AnyGiven, token: string | null): Promise<unknown> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (given.body !== undefined) headers["Content-Type"] = "application/json";
  if (given.key) headers["Idempotency-Key"] = given.key;
  const init: RequestInit = { method, headers };
  if (given.body !== undefined) init.body = JSON.stringify(given.body);
  if (given.signal) init.signal = given.signal;
  let answer: Response;
  try {
    answer = await fetch(addressOf(path, given), init);
  } catch (error) {
    if (given.signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "The server cannot be reached");
  }
  const read: unknown = await answer.json().catch(() => null);
  if (answer.ok) return read;
  throw problemOf(answer.status, read);
}

export function addressOf(path: string, given: Pick<AnyGiven, "path" | "query">): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(given.path?.[name] ?? ""));
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given.query ?? {})) {
    if (value !== undefined && value !== null && value !== "") query.set(name, String(value));
  }
  const asked = query.toString();
  return `/api/v1${filled}${asked ? `?${asked}` : ""}`;
}

export function problemOf(status: number, read: unknown): Problem {
  const said = (typeof read === "object" && read !== null ? read : {}) as Record<string, unknown>;
  const text = (name: string) => (typeof said[name] === "string" ? (said[name] as string) : undefined);
  return new Problem(
    status,
    text("code") ?? `http_${status}`,
    text("detail") ?? text("title") ?? `HTTP ${status}`,
    Array.isArray(said.errors) ? (said.errors as { pointer: string; detail: string }[]) : [],
    said,
  );
}
