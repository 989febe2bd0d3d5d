// What a page loads at once: its scripts with all that they import, and their styles. Lazy parts are not counted.
import { readFile } from "node:fs/promises";

export const SITE = new URL("../../dispatch/http/site/", import.meta.url);

/** The files of a page's first load but for the page itself, relative to the site. */
export async function filesOf(page) {
  const manifest = JSON.parse(await readFile(new URL(".vite/manifest.json", SITE), "utf8"));
  const files = new Set();
  const seen = new Set();
  const take = (key) => {
    if (seen.has(key)) return;
    seen.add(key);
    const chunk = manifest[key];
    files.add(chunk.file);
    chunk.css?.forEach((file) => files.add(file));
    chunk.imports?.forEach(take);
  };
  take(`${page}.html`);
  return [...files];
}
