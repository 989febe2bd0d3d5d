/** The outbox's shelf in IndexedDB, in the order in which things were said. */
import type { Entry, Shelf } from "./outbox";

const NAME = "qiangdan-crew";
const STORE = "outbox";

interface Kept {
  id: string;
  place: number;
  entry: Entry;
}

function opened(): Promise<IDBDatabase> {
  return new Promise((done, failed) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "id" });
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
}

async function use<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened();
  try {
    return await new Promise<T>((done, failed) => {
      const transaction = database.transaction(STORE, mode);
      const request = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => done(request.result);
      transaction.onerror = transaction.onabort = () => failed(transaction.error);
    });
  } finally {
    database.close();
  }
}

export const shelf: Shelf = {
  async load() {
    const kept = await use<Kept[]>("readonly", (store) => store.getAll());
    return kept.sort((a, b) => a.place - b.place).map(({ entry }) => entry);
  },
  async put(entry) {
    const before = await use<Kept | undefined>("readonly", (store) => store.get(entry.word.id));
    const place = before?.place ?? Date.now();
    // A copy without proxies, as IndexedDB wants it.
    const plain: Entry = { ...(entry.photo ? { photo: entry.photo } : {}), word: JSON.parse(JSON.stringify(entry.word)) as Entry["word"] };
    await use("readwrite", (store) => store.put({ id: entry.word.id, place, entry: plain }));
  },
  async remove(id) {
    await use("readwrite", (store) => store.delete(id));
  },
  async clear() {
    await use("readwrite", (store) => store.clear());
  },
};
