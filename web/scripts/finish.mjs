// After `vite build`: tells the phone's service worker which files it keeps, and compresses what is served.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

import { filesOf, SITE } from "./files.mjs";

const WORTH = /\.(js|mjs|css|html|svg|webmanifest|json)$/;

const { createHash } = await import("node:crypto");
const shell = ["/crew", ...(await filesOf("crew")).map((file) => `/${file}`), "/crew.webmanifest", "/icons/icon.svg"];
const page = await readFile(new URL("crew.html", SITE));
const version = createHash("sha256").update(page).update(shell.join()).digest("hex").slice(0, 16);
const worker = new URL("crew-worker.js", SITE);
const text = await readFile(worker, "utf8");
if (!text.includes("__SHELL__")) throw new Error("the service worker has lost its list of files");
await writeFile(
  worker,
  text.replace(/["'`]__SHELL__["'`]/, JSON.stringify(JSON.stringify(shell))).replace("__VERSION__", version),
);

for (const entry of await readdir(SITE, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !WORTH.test(entry.name) || entry.parentPath.includes(".vite")) continue;
  const file = `${entry.parentPath}/${entry.name}`;
  const bytes = await readFile(file);
  if (bytes.length < 500) continue;
  await writeFile(`${file}.gz`, await promisify(gzip)(bytes, { level: 9 }));
  await writeFile(
    `${file}.br`,
    await promisify(brotliCompress)(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
  );
}
