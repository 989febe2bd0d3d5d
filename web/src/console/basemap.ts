/**
 * What the map is drawn on, where somebody has configured it: raster tiles by a template, or a PMTiles file. Tiles in GCJ-02
 * are put together anew from their neighbours, moved by the datum's difference at each tile's middle: everything else stays
 * WGS-84.
 */
import { AJAXError, addProtocol, type RasterSourceSpecification } from "maplibre-gl";

export interface Basemap {
  readonly url: string;
  readonly attribution: string;
  readonly datum: "wgs84" | "gcj02";
  readonly max_zoom: number;
  readonly tile_size: 256 | 512;
}

/** The configured basemap, null where there is none or it cannot be read: the zones stand without it. */
export async function readBasemap(): Promise<Basemap | null> {
  const answer = await fetch("/basemap.json").catch(() => null);
  return answer?.status === 200 ? ((await answer.json()) as Basemap) : null;
}

/** The source that MapLibre draws it from. */
export async function rasterSource(basemap: Basemap): Promise<RasterSourceSpecification> {
  const common = { type: "raster", tileSize: basemap.tile_size, maxzoom: basemap.max_zoom, attribution: basemap.attribution } as const;
  const url = new URL(basemap.url, location.href).href.replace(/%7B/gi, "{").replace(/%7D/gi, "}");
  if (new URL(url).pathname.endsWith(".pmtiles")) {
    const { PMTiles, Protocol, TileType } = await import("pmtiles");
    const archive = new PMTiles(url);
    if ((await archive.getHeader()).tileType === TileType.Mvt) throw new Error("a PMTiles archive of vector tiles is no basemap");
    const protocol = new Protocol();
    protocol.add(archive);
    addProtocol("pmtiles", protocol.tile);
    return { ...common, url: `pmtiles://${url}` };
  }
  if (basemap.datum === "wgs84") return { ...common, tiles: [url] };
  const { default: gcoord } = await import("gcoord");
  addProtocol("gcj02", async ({ url: asked }, { signal }) => {
    const [z, x, y] = asked.split("/").slice(-3).map(Number) as [number, number, number];
    const shift = shiftOf(z, x, y, (lon, lat) => gcoord.transform([lon, lat], gcoord.WGS84, gcoord.GCJ02));
    return { data: await movedTile(url, z, x, y, shift, basemap.tile_size, signal) };
  });
  return { ...common, tiles: ["gcj02://tiles/{z}/{x}/{y}"] };
}

/** By how much of a tile's width the tiles' datum is off in the middle of a tile: east, south. Pure. */
export function shiftOf(z: number, x: number, y: number, toDatum: (lon: number, lat: number) => readonly number[]): [number, number] {
  const many = 2 ** z;
  const lon = ((x + 0.5) / many) * 360 - 180;
  const lat = (Math.atan(Math.sinh(Math.PI * (1 - (2 * (y + 0.5)) / many))) * 180) / Math.PI;
  const [east, north] = toDatum(lon, lat) as [number, number];
  const row = (at: number) => ((1 - Math.asinh(Math.tan((at * Math.PI) / 180)) / Math.PI) / 2) * many;
  return [((east - lon) / 360) * many, row(north) - row(lat)];
}

/** The tiles of a template that a moved tile is made of: each with its place in it, in tiles. Pure. */
export function piecesOf(x: number, y: number, [east, south]: readonly [number, number]): { x: number; y: number; left: number; top: number }[] {
  const [fromX, fromY] = [Math.floor(x + east), Math.floor(y + south)];
  const pieces = [];
  for (const col of [fromX, fromX + 1]) {
    for (const row of [fromY, fromY + 1]) {
      const [left, top] = [col - (x + east), row - (y + south)];
      if (left < 1 && top < 1) pieces.push({ x: col, y: row, left, top });
    }
  }
  return pieces;
}

async function movedTile(url: string, z: number, x: number, y: number, shift: [number, number], size: number, signal: AbortSignal): Promise<ImageBitmap> {
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d")!;
  await Promise.all(
    piecesOf(x, y, shift).map(async (piece) => {
      const address = url.replace("{z}", String(z)).replace("{x}", String(piece.x)).replace("{y}", String(piece.y));
      const answer = await fetch(address, { signal });
      if (!answer.ok) throw new AJAXError(answer.status, answer.statusText, address, new Blob());
      context.drawImage(await createImageBitmap(await answer.blob()), Math.round(piece.left * size), Math.round(piece.top * size), size, size);
    }),
  );
  return canvas.transferToImageBitmap();
}
