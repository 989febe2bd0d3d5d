import { fileURLToPath } from "node:url";

import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vitest/config";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** The engine that `npm run dev` talks to. */
const engine = process.env.QIANGDAN_DEV_ENGINE ?? "http://127.0.0.1:8000";
const pages = ["crew", "console", "sla"];

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
        { target: engine, ws: path === "/ws", changeOrigin: true, xfwd: true },
      ]),
    ),
  },
  test: { include: ["src/**/*.test.ts"] },
});
