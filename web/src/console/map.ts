/** The map itself: MapLibre with our layers. Loaded when the console stands; everything else works without it. */
import "maplibre-gl/dist/maplibre-gl.css";

import { AttributionControl, type GeoJSONSource, type LayerSpecification, Map as MapLibre, NavigationControl, ScaleControl, setWorkerUrl } from "maplibre-gl";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";

import { rasterSource, readBasemap } from "./basemap";
import type { Drawn } from "./map-data";
import { currentLook, type Look, pictures, RATIO } from "./map-icons";
import type { Bounds, Place } from "./zones";

setWorkerUrl(workerUrl);

const EMPTY: Drawn = { type: "FeatureCollection", features: [] };
const SOURCES = ["areas", "labels", "crews", "orders", "way", "chosen", "best"] as const;
export type Source = (typeof SOURCES)[number];
export type Hit = { readonly kind: "order" | "crew"; readonly id: string };

/** How near a pointer must be to meet something, pixels. */
const REACH = 14;

/** More than so many of a kind are a crowd: from afar they are drawn small, and only what presses in full size. */
const CROWD = 300;
const NEAR_ZOOM = 13;

/** Points are cut into tiles no finer than this, exact to 4 m: a city is some four tiles to draw anew each second, not forty. */
const FINEST_TILES = 10;

export class CityMap {
  readonly map: MapLibre;
  /** When sources and layers stand. */
  readonly ready: Promise<void>;
  private look: Look;
  private known = new Map<Source, Drawn>();
  private shown = new Map<Source, string>();
  private standing = false;

  constructor(
    container: HTMLElement,
    labels: Record<string, string>,
    onHit: (hit: Hit | null, place: Place) => void,
    private readonly onBasemap: (works: boolean) => void = () => undefined,
  ) {
    this.look = currentLook();
    this.map = new MapLibre({
      container,
      style: { version: 8, sources: {}, layers: [{ id: "ground", type: "background", paint: { "background-color": this.look.colour("ground") } }] },
      center: [126.63, 45.75],
      zoom: 11,
      attributionControl: false,
      localIdeographFontFamily: "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', 'WenQuanYi Micro Hei', sans-serif",
      locale: labels,
      dragRotate: false,
      pitchWithRotate: false,
      touchPitch: false,
      fadeDuration: 0,
    });
    this.map.touchZoomRotate.disableRotation();
    this.map.keyboard.disableRotation();
    this.map.addControl(new NavigationControl({ showCompass: false }), "bottom-right");
    this.map.addControl(new ScaleControl({ unit: "metric" }), "bottom-left");
    this.ready = new Promise((resolve) => this.map.once("load", () => resolve()));
    void this.ready.then(() => this.stand());
    this.map.on("click", (event) => onHit(this.at(event.point.x, event.point.y), event.lngLat.toArray()));
    this.map.on("mousemove", (event) => (this.map.getCanvas().style.cursor = this.at(event.point.x, event.point.y) ? "pointer" : ""));
  }

  /** Replace what a source shows; the same again costs no frame. */
  show(source: Source, drawn: Drawn): void {
    const text = JSON.stringify(drawn);
    if (text === this.shown.get(source)) return;
    this.shown.set(source, text);
    const isCrowd = drawn.features.length > CROWD;
    if (this.standing && isCrowd !== (this.known.get(source) ?? EMPTY).features.length > CROWD) this.shrink(source, isCrowd);
    this.known.set(source, drawn);
    if (this.standing) (this.map.getSource(source) as GeoJSONSource).setData(drawn as never);
  }

  /** What is nearest to a point of the map's box, orders before crews. */
  at(x: number, y: number, kinds: readonly Hit["kind"][] = ["order", "crew"], reach = REACH): Hit | null {
    if (!this.standing) return null;
    const found = this.map.queryRenderedFeatures([[x - reach, y - reach], [x + reach, y + reach]], {
      layers: kinds.map((kind) => `${kind}s`),
    });
    let best: { hit: Hit; far: number } | null = null;
    for (const feature of found) {
      const kind = feature.layer.id === "orders" ? ("order" as const) : ("crew" as const);
      const place = this.map.project((feature.geometry as unknown as { coordinates: Place }).coordinates);
      const far = Math.hypot(place.x - x, place.y - y) + (kind === "crew" ? 4 : 0);
      if (!best || far < best.far) best = { hit: { kind, id: String(feature.properties.id) }, far };
    }
    return best?.hit ?? null;
  }

  /** The zone under a place that is in sight, by id. */
  zoneAt(place: Place): string | null {
    if (!this.standing) return null;
    const [found] = this.map.queryRenderedFeatures(this.map.project(place), { layers: ["areas"] });
    return found ? String(found.properties.id) : null;
  }

  fit(bounds: Bounds, { maxZoom = 15.5, animate = true } = {}): void {
    const { clientWidth } = this.map.getContainer();
    this.map.fitBounds(bounds, { padding: clientWidth < 600 ? 12 : 48, maxZoom, animate });
  }

  /** Move to a place; `covered` pixels at the right of the map are under something else. */
  go(place: Place, closer = true, covered = 0): void {
    this.map.easeTo({ center: place, offset: [-covered / 2, 0], ...(closer ? { zoom: Math.max(this.map.getZoom(), 14) } : {}), duration: 400 });
  }

  /** Light or dark has changed: draw everything in the colours of now. */
  relight(): void {
    this.look = currentLook();
    if (!this.standing) return;
    for (const [name, picture] of pictures(this.look)) this.map.updateImage(name, picture);
    for (const layer of layers(this.look)) {
      for (const [name, value] of Object.entries(layer.paint ?? {})) this.map.setPaintProperty(layer.id, name as never, value as never);
    }
    this.map.setPaintProperty("ground", "background-color", this.look.colour("ground"));
  }

  remove(): void {
    this.standing = false;
    this.map.remove();
  }

  /** Draw a crowd small from afar, where it would be one blot, or as large as ever. */
  private shrink(source: Source, isCrowd: boolean): void {
    if (source !== "crews" && source !== "orders") return;
    const size = ["case", ["boolean", ["get", "pressing"], false], 1, 0.5];
    this.map.setLayoutProperty(source, "icon-size", isCrowd ? (["step", ["zoom"], size, NEAR_ZOOM, 1] as never) : 1);
  }

  private stand(): void {
    for (const [name, picture] of pictures(this.look)) this.map.addImage(name, picture, { pixelRatio: RATIO });
    for (const source of SOURCES) {
      const finest = source === "crews" || source === "orders" ? { maxzoom: FINEST_TILES } : {};
      this.map.addSource(source, { type: "geojson", data: (this.known.get(source) ?? EMPTY) as never, ...finest });
    }
    for (const layer of layers(this.look)) this.map.addLayer(layer);
    this.standing = true;
    for (const [source, drawn] of this.known) if (drawn.features.length > CROWD) this.shrink(source, true);
    void this.putUnder();
  }

  /** Draw on the configured basemap, where there is one; it comes later and holds nothing up. */
  private async putUnder(): Promise<void> {
    const basemap = await readBasemap();
    if (!basemap) return;
    const source = await rasterSource(basemap).catch(() => null);
    if (!this.standing) return;
    if (!source) return this.onBasemap(false);
    this.map.on("error", (event) => "sourceId" in event && event.sourceId === "basemap" && this.onBasemap(false));
    this.map.on("sourcedata", (event) => event.sourceId === "basemap" && event.tile && this.onBasemap(true));
    this.map.addSource("basemap", source);
    this.map.addLayer({ id: "basemap", type: "raster", source: "basemap", paint: { "raster-fade-duration": 0 } }, "areas");
    this.map.addControl(new AttributionControl({ compact: true }), "bottom-left");
  }
}

function layers(look: Look): LayerSpecification[] {
  const { colour } = look;
  const halo = { "text-halo-color": colour("ground"), "text-halo-width": 1.6 };
  return [
    {
      id: "areas",
      type: "fill",
      source: "areas",
      paint: {
        "fill-color": ["match", ["get", "strain"], 0, colour("sunken"), 1, colour("severity-2"), 2, colour("severity-3"), colour("severity-4")],
        // From near one zone fills the map, and says nothing any more that its label does not.
        "fill-opacity": ["interpolate", ["linear"], ["zoom"], 12, ["match", ["get", "strain"], 0, 0.5, 1, 0.45, 2, 0.5, 0.55], 14, 0.18],
      },
    },
    { id: "borders", type: "line", source: "areas", paint: { "line-color": colour("soft"), "line-width": 1.3, "line-opacity": 0.7 } },
    { id: "way", type: "line", source: "way", paint: { "line-color": colour("accent"), "line-width": 2.5, "line-dasharray": [2, 1.5] } },
    {
      id: "labels",
      type: "symbol",
      source: "labels",
      layout: {
        "text-field": ["format", ["get", "name"], { "font-scale": 1 }, "\n", {}, ["get", "load"], { "font-scale": 0.8 }],
        "text-size": ["interpolate", ["linear"], ["zoom"], 10, 11, 14, 16],
        "text-max-width": 12,
        // From afar those that find no room are left out.
        "text-allow-overlap": ["step", ["zoom"], false, 11, true] as never,
        "text-ignore-placement": ["step", ["zoom"], false, 11, true] as never,
      },
      paint: { "text-color": colour("soft"), ...halo },
    },
    {
      id: "chosen",
      type: "circle",
      source: "chosen",
      paint: { "circle-radius": 24, "circle-color": colour("accent"), "circle-opacity": 0.18, "circle-stroke-color": colour("accent"), "circle-stroke-width": 3 },
    },
    {
      id: "crews",
      type: "symbol",
      source: "crews",
      layout: {
        "icon-image": ["get", "icon"],
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "text-field": ["step", ["zoom"], "", 13, ["get", "label"]],
        "text-size": 12,
        "text-offset": [0, 1.1],
        "text-anchor": "top",
        "text-optional": true,
      },
      paint: { "text-color": colour("text"), ...halo },
    },
    {
      id: "orders",
      type: "symbol",
      source: "orders",
      layout: { "icon-image": ["get", "icon"], "icon-allow-overlap": true, "icon-ignore-placement": true, "symbol-sort-key": ["get", "rank"] },
    },
    {
      id: "best",
      type: "symbol",
      source: "best",
      layout: {
        "text-field": ["get", "label"],
        "text-size": 13,
        "text-anchor": "bottom",
        "text-offset": [0, -1],
        "text-allow-overlap": true,
      },
      paint: { "text-color": colour("accent"), "text-halo-color": colour("card"), "text-halo-width": 3 },
    },
  ];
}
