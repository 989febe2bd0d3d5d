/** Drawing on the map with Terra Draw: a new area, a cutting line, the corners of a zone. Loaded with the zone editor. */
import type { Map as MapLibre } from "maplibre-gl";
import { TerraDraw, TerraDrawLineStringMode, TerraDrawPolygonMode, TerraDrawSelectMode, ValidateNotSelfIntersecting } from "terra-draw";
import { TerraDrawMapLibreGLAdapter } from "terra-draw-maplibre-gl-adapter";

import type { Place, Ring } from "./zones";

export type Drawn = { readonly kind: "area"; readonly ring: Ring } | { readonly kind: "line"; readonly places: Place[] } | { readonly kind: "shape"; readonly ring: Ring };

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
      const geometry = this.draw.getSnapshotFeature(id)?.geometry;
      if (!geometry) return;
      if (geometry.type === "LineString") onDrawn({ kind: "line", places: geometry.coordinates as Place[] });
      else if (geometry.type === "Polygon") onDrawn({ kind: action === "draw" ? "area" : "shape", ring: geometry.coordinates[0] as Ring });
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

  /** Show the corners of a ring; each drag is told as a `shape`. */
  shape(ring: Ring): void {
    this.clear();
    this.draw.setMode("select");
    const [added] = this.draw.addFeatures([
      { type: "Feature", properties: { mode: "polygon" }, geometry: { type: "Polygon", coordinates: [ring.map(rounded)] } },
    ]);
    if (added?.valid && added.id !== undefined) this.draw.selectFeature(added.id);
  }

  clear(): void {
    this.draw.setMode("static");
    this.draw.clear();
  }

  stop(): void {
    this.draw.stop();
  }
}
