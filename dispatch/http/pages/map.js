// A plain map: zones, orders and crews in one SVG. Longitudes are shrunk by the cosine of the latitude.

const SVG = "http://www.w3.org/2000/svg";
const SIZE = 1000;

function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export class ZoneMap {
  constructor(svg, { pick }) {
    this.svg = svg;
    this.pick = pick;
    this.layers = ["zones", "crews", "orders"].map(() => svg.appendChild(shape("g", {})));
    this.spots = new Map();
  }

  /** Draw the zones of a FeatureCollection and fit the view to them. */
  show(zones) {
    const polygons = zones.features.map(({ geometry, properties }) => ({
      properties,
      rings: geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat(),
    }));
    const places = polygons.flatMap(({ rings }) => rings.flat());
    if (!places.length) return;
    const [west, east] = bounds(places.map(([lon]) => lon));
    const [south, north] = bounds(places.map(([, lat]) => lat));
    const shrink = Math.cos((((south + north) / 2) * Math.PI) / 180);
    const scale = SIZE / Math.max((east - west) * shrink, north - south, 1e-6);
    this.project = (lon, lat) => [(lon - west) * shrink * scale, (north - lat) * scale];
    const [width, height] = this.project(east, south);
    this.svg.setAttribute("viewBox", `-10 -10 ${width + 20} ${height + 20}`);
    this.layers[0].replaceChildren();
    for (const { properties, rings } of polygons) {
      const line = rings.map((ring) => `M${ring.map(([lon, lat]) => this.project(lon, lat).map((n) => n.toFixed(1)).join(" ")).join("L")}Z`);
      const path = shape("path", { class: "zone", d: line.join(""), "fill-rule": "evenodd" });
      path.append(shape("title", {}, `${properties.name ?? ""} ${properties.id}`));
      const [left, right] = bounds(rings[0].map(([lon]) => lon));
      const [low, high] = bounds(rings[0].map(([, lat]) => lat));
      const [x, y] = this.project((left + right) / 2, (low + high) / 2);
      this.layers[0].append(path, shape("text", { class: "name", x, y, "font-size": 20 }, properties.name ?? properties.id));
    }
  }

  /** Put, move or take away (place null) one order or crew; `kind` is "order" or "crew". */
  put(kind, id, place, state, title) {
    const key = `${kind} ${id}`;
    let spot = this.spots.get(key);
    if (!place || !this.project) {
      spot?.remove();
      this.spots.delete(key);
      return;
    }
    if (!spot) {
      spot = kind === "order" ? shape("circle", { r: 8 }) : shape("rect", { width: 12, height: 12 });
      spot.append(shape("title", {}));
      if (kind === "order") spot.addEventListener("click", () => this.pick(id));
      this.layers[kind === "order" ? 2 : 1].append(spot);
      this.spots.set(key, spot);
    }
    const [x, y] = this.project(place.lon, place.lat);
    if (kind === "order") {
      spot.setAttribute("cx", x);
      spot.setAttribute("cy", y);
    } else {
      spot.setAttribute("x", x - 6);
      spot.setAttribute("y", y - 6);
    }
    spot.setAttribute("class", `${kind} ${state}`);
    spot.firstChild.textContent = title;
  }
}

function bounds(numbers) {
  let [least, most] = [Infinity, -Infinity];
  for (const n of numbers) {
    if (n < least) least = n;
    if (n > most) most = n;
  }
  return [least, most];
}
