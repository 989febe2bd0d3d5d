/** A map of zones under work: every step can be taken back, and the server checks what stands. */
import { computed, onScopeDispose, ref, shallowRef, watch } from "vue";

import type { Preview, ZoneCheck } from "@/api/rest";
import { api, Problem } from "@/shared/api";

import { followEdit, freshId, polygonsOf, type Place, type Ring, type RingPlace, ringArea, boundsOf, type ZoneFeature, type ZoneFeatures, type ZoneGeometry } from "./zones";
import { z } from "./zone-words";

const CHECK_AFTER_MS = 400;
type Shapes = { geometries: ZoneGeometry[] };

export function zoneDraft(token: string, inForce: ZoneFeatures) {
  const base = shallowRef(inForce);
  const steps = shallowRef<readonly ZoneFeatures[]>([inForce]);
  const at = ref(0);
  const zones = computed(() => steps.value[at.value]!);
  const changed = computed(() => zones.value !== base.value);
  const check = shallowRef<ZoneCheck | null>(null);
  const checking = ref(false);
  const problem = shallowRef<unknown>(null);
  const saved = ref<number | null>(null);
  /** The open orders that lie in another zone since the map was saved. */
  const moved = shallowRef<Preview["orders"]>([]);

  function step(next: ZoneFeatures): void {
    steps.value = [...steps.value.slice(0, at.value + 1), next];
    at.value += 1;
    saved.value = null;
  }

  const replace = (gone: readonly ZoneFeature[], come: readonly ZoneFeature[]) => {
    const place = Math.max(0, zones.value.features.indexOf(gone[0]!));
    const left = zones.value.features.filter((zone) => !gone.includes(zone));
    step({ ...zones.value, features: gone.length ? [...left.slice(0, place), ...come, ...left.slice(place)] : [...left, ...come] });
  };
  const find = (id: string) => zones.value.features.find(({ properties }) => properties.id === id);

  /** Take what the server answers, or say what it refused. */
  async function asked<T>(ask: () => Promise<T>): Promise<T | null> {
    try {
      const answer = await ask();
      problem.value = null;
      return answer;
    } catch (error) {
      problem.value = error;
      return null;
    }
  }

  function add(ring: Ring): string {
    const id = freshId("zone-1", zones.value);
    const properties = { id, name: z.value.newName(zones.value.features.length + 1) };
    replace([], [{ type: "Feature", properties, geometry: { type: "Polygon", coordinates: [ring] } }]);
    return id;
  }

  /** Cut a zone; the largest part stays what it was, the others get ids and names of their own. */
  async function cut(id: string, places: readonly Place[]): Promise<void> {
    const zone = find(id);
    if (!zone) return;
    const body = { geometry: zone.geometry, line: { type: "LineString", coordinates: places } };
    const parts = (await asked(() => api(token).post("/zones/split", { body: body as never }))) as Shapes | null;
    if (!parts) return;
    let known = zones.value;
    const made = parts.geometries.map((geometry, n): ZoneFeature => {
      if (n === 0) return { ...zone, geometry };
      const fresh = { ...zone, geometry, properties: { ...zone.properties, id: freshId(`${id}-1`, known), name: z.value.partName(zone.properties.name, n + 1) } };
      known = { ...known, features: [...known.features, fresh] };
      return fresh;
    });
    replace([zone], made);
  }

  /** Cut through the middle of a zone's bounds: the way for who draws with the keyboard. */
  function halve(id: string, tall: boolean): Promise<void> {
    const zone = find(id);
    const bounds = zone && boundsOf(polygonsOf(zone.geometry).flat(2));
    if (!bounds) return Promise.resolve();
    const [west, south, east, north] = bounds;
    const [lon, lat] = [(west + east) / 2, (south + north) / 2];
    const [w, h] = [east - west, north - south];
    return cut(id, tall ? [[lon, south - h], [lon, north + h]] : [[west - w, lat], [east + w, lat]]);
  }

  async function join(ids: readonly string[]): Promise<void> {
    const found = zones.value.features.filter(({ properties }) => ids.includes(properties.id));
    const body = { geometries: found.map(({ geometry }) => geometry) };
    const whole = (await asked(() => api(token).post("/zones/join", { body: body as never }))) as Shapes | null;
    if (!whole) return;
    const area = (zone: ZoneFeature) => polygonsOf(zone.geometry).reduce((sum, part) => sum + ringArea(part[0]!), 0);
    const largest = found.reduce((best, one) => (area(one) > area(best) ? one : best));
    replace(found, [{ ...largest, geometry: whole.geometries[0]! }]);
  }

  const reshape = (id: string, ring: Ring, place: RingPlace) => step(followEdit(zones.value, id, ring, place));
  const remove = (ids: readonly string[]) => replace(zones.value.features.filter(({ properties }) => ids.includes(properties.id)), []);

  function rename(id: string, name: string): void {
    const zone = find(id);
    if (zone && name.trim() && name !== zone.properties.name) replace([zone], [{ ...zone, properties: { ...zone.properties, name: name.trim() } }]);
  }

  function load(text: string): void {
    try {
      const read = JSON.parse(text) as ZoneFeatures;
      if (read.type !== "FeatureCollection" || !read.features.every((zone) => typeof zone.properties.id === "string" && zone.geometry)) throw new Error();
      problem.value = null;
      step({ type: "FeatureCollection", ...(zones.value.version === undefined ? {} : { version: zones.value.version }), features: read.features });
    } catch {
      problem.value = z.value.badFile;
    }
  }

  const document = () => ({ type: "FeatureCollection" as const, features: zones.value.features });

  async function save(): Promise<void> {
    const answer = await asked(() => api(token).put("/zones", { query: { based_on: base.value.version ?? 0 }, body: document() as never }));
    if (!answer) return;
    moved.value = check.value?.moves?.orders ?? [];
    saved.value = answer.version;
    begin({ ...zones.value, version: answer.version }, true);
  }

  /** Begin anew from a map in force. */
  function begin(from: ZoneFeatures, keepSaved = false): void {
    base.value = from;
    steps.value = [from];
    at.value = 0;
    problem.value = null;
    if (!keepSaved) saved.value = null;
  }

  let timer: ReturnType<typeof setTimeout> | undefined;
  let looks = 0;
  watch(zones, () => {
    clearTimeout(timer);
    checking.value = changed.value;
    const mine = (looks += 1);
    if (!changed.value) {
      check.value = null;
      return;
    }
    timer = setTimeout(async () => {
      const answer = await asked(() => api(token).post("/zones/check", { body: document() as never }));
      if (mine !== looks) return;
      checking.value = false;
      check.value = answer;
    }, CHECK_AFTER_MS);
  });
  onScopeDispose(() => clearTimeout(timer));

  const good = computed(() => changed.value && !checking.value && !!check.value && !check.value.problems.length);
  const stale = computed(() => (problem.value instanceof Problem && problem.value.code === "stale_version" ? Number(problem.value.document.version) : null));
  const back = () => (at.value = Math.max(0, at.value - 1));
  const forward = () => (at.value = Math.min(steps.value.length - 1, at.value + 1));
  return { zones, base, changed, check, checking, problem, saved, moved, good, stale, steps, at, add, cut, halve, join, reshape, remove, rename, load, save, begin, back, forward, find, document };
}
