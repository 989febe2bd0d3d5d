/** Drawing on the map with Terra Draw: a new area, a cutting line, the corners of a zone. Loaded with the zone editor. */
import type { Map as MapLibre } from "maplibre-gl";
import { TerraDraw, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawSelectMode, ValidateNotSelfIntersecting } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";

import type { Place, Ring, RingPlace } from "./zones";

export type Drawn =
  | { readonly kind: "area"; readonly ring: Ring }
  | { readonly kind: "line"; readonly places: Place[] }
  | { readonly kind: "shape"; readonly ring: Ring; readonly at: RingPlace };

/** Decimals that Terra Draw takes: a tenth of a millimetre. */
const DECIMALS = 9;
const rounded = (place: Place): Place => [Number(place[0].toFixed(DECIMALS)), Number(place[1].toFixed(DECIMALS))];

export class Pencil {
  private readonly draw: TerraDraw;

  constructor(map: MapLibre, onDrawn: (drawn: Drawn) => void) {
    this.draw = new TerraDraw({
      adapter: new TerraDrawMapLibreGLAdapter({ map, coordinatePrecision: DECIMALS }),
      modes: [
        new TerraDrawPolygonMode({ validation: (feature, { updateType }) => (updateType === "finish" ? ValidateNotSelfIntersecting(feature) : { valid: true }) }),
        new TerraDrawLineStringMode(),
        new TerraDrawSelectMode({
          flags: { polygon: { feature: { draggable: false, coordinates: { midpoints: true, draggable: true, deletable: true } } } },
        }),
      ],
    });
    this.draw.start();
    this.draw.on("finish", (id, { action }) => {
      const feature = this.draw.getSnapshotFeature(id);
      if (!feature) return;
      const { geometry, properties } = feature;
      if (geometry.type === "LineString") onDrawn({ kind: "line", places: geometry.coordinates as Place[] });
      if (geometry.type !== "Polygon") return;
      const ring = geometry.coordinates[0] as Ring;
      if (action === "draw") onDrawn({ kind: "area", ring });
      else onDrawn({ kind: "shape", ring, at: { part: Number(properties.part), ring: Number(properties.ring) } });
    });
  }

  area(): void {
    this.clear();
    this.draw.setMode("polygon");
  }

  line(): void {
    this.clear();
    this.draw.setMode("linestring");
  }

  /** Show rings, and the corners of the one at `chosen`; a press on another shows its corners. Each drag is told as a `shape`. */
  shape(rings: readonly { readonly at: RingPlace; readonly places: Ring }[], chosen: RingPlace): void {
    this.clear();
    this.draw.setMode("select");
    const added = this.draw.addFeatures(
      rings.map(({ at, places }) => ({
        type: "Feature",
        properties: { mode: "polygon", part: at.part, ring: at.ring },
        geometry: { type: "Polygon", coordinates: [places.map(rounded)] },
      })),
    );
    const first = added[Math.max(0, rings.findIndex(({ at }) => at.part === chosen.part && at.ring === chosen.ring))];
    if (first?.valid && first.id !== undefined) this.draw.selectFeature(first.id);
  }

  clear(): void {
    this.draw.setMode("static");
    this.draw.clear();
  }

  stop(): void {
    this.draw.stop();
  }
}
