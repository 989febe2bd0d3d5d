/** The phone's service worker: keeps the shell, so that the app opens in a cellar. Data never goes through it. */
export {};

declare const self: ServiceWorkerGlobalScope;

// Both are filled in by scripts/finish.mjs.
const SHELL = JSON.parse("__SHELL__") as string[];
const PATIENCE_MS = 4_000;
const CACHE = "qiangdan-crew-__VERSION__";

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(SHELL))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name.startsWith("qiangdan-crew-") && name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (event.request.mode === "navigate") event.respondWith(page(event.request));
  else if (SHELL.includes(url.pathname)) event.respondWith(kept(event.request));
});

/** The newest page where the server answers in time, else the one that is kept. */
async function page(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const late = new Promise<never>((_, failed) => setTimeout(failed, PATIENCE_MS));
    const fresh = await Promise.race([fetch(request), late]);
    if (fresh.ok) return fresh;
  } catch {
    // No network: the kept one.
  }
  return (await cache.match("/crew")) ?? fetch(request);
}

async function kept(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}
