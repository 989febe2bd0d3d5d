import { fileURLToPath } from "node:url";

import vue from "@vitejs/plugin-vue";
import type { ProxyOptions } from "vite";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** The engine that `npm run dev` talks to. */
const engine = process.env.QIANGDAN_DEV_ENGINE ?? "http://127.0.0.1:8000";
const pages = ["crew", "console", "sla"];

/**
 * Tell the engine under which name a page asked for its socket, as its check of the origin needs; `xfwd` does so for requests alone.
 * `Origin` goes through as it is (no `rewriteWsOrigin`): a page from elsewhere is refused here, too.
 */
const tellHost: ProxyOptions["configure"] = (proxy) => {
  proxy.on("proxyReqWs", (out, request) => out.setHeader("X-Forwarded-Host", request.headers.host ?? ""));
};

export default defineConfig({
  plugins: [
    vue(),
    {
      name: "pages-without-their-ending",
      configureServer(server) {
        server.middlewares.use((request, _response, next) => {
          const path = request.url?.split(/[?#]/)[0]?.slice(1) ?? "";
          if (pages.includes(path)) request.url = request.url!.replace(`/${path}`, `/${path}.html`);
          next();
        });
      },
    },
  ],
  resolve: { alias: { "@": here("./src") } },
  // It brings its worker as a file of its own, which the optimizer would lose.
  optimizeDeps: { exclude: ["maplibre-gl"] },
  build: {
    outDir: here("../dispatch/http/site"),
    emptyOutDir: true,
    manifest: true,
    target: ["chrome87", "safari14", "firefox91"],
    rollupOptions: {
      input: {
        index: here("./index.html"),
        crew: here("./crew.html"),
        console: here("./console.html"),
        sla: here("./sla.html"),
        "crew-worker": here("./src/crew/worker.ts"),
      },
      output: {
        entryFileNames: (chunk) => (chunk.name === "crew-worker" ? "crew-worker.js" : "assets/[name]-[hash].js"),
      },
    },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/ws", "/healthz", "/readyz", "/demo.json"].map((path) => [
        path,
        { target: engine, ws: path === "/ws", changeOrigin: true, xfwd: true, configure: tellHost },
      ]),
    ),
  },
  test: { include: ["src/**/*.test.ts"] },
});
