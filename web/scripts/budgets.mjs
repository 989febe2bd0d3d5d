// Fails where the first load of a page is over its budget: page, scripts and styles, gzip, in KiB.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

import { filesOf, SITE } from "./files.mjs";

const BUDGETS = { index: 60, crew: 130, console: 500, sla: 260 };

let over = false;
for (const [page, budget] of Object.entries(BUDGETS)) {
  let size = 0;
  for (const file of [`${page}.html`, ...(await filesOf(page))]) {
    size += gzipSync(await readFile(new URL(file, SITE)), { level: 9 }).length;
  }
  const kib = size / 1024;
  over ||= kib > budget;
  console.log(`${page.padEnd(8)} ${kib.toFixed(1).padStart(6)} KiB of ${budget}${kib > budget ? "  OVER ITS BUDGET" : ""}`);
}
process.exit(over ? 1 : 0);
