/** What stands on the map, drawn once per look: orders by number and shape of their severity, crews by what they do. */
export interface Look {
  readonly dark: boolean;
  readonly colour: (name: string) => string;
}

/** The colours of the page's tokens as they are now. */
export function currentLook(): Look {
  const style = getComputedStyle(document.documentElement);
  return {
    dark: style.colorScheme === "dark" || getComputedStyle(document.body).colorScheme === "dark",
    colour: (name) => style.getPropertyValue(`--${name}`).trim(),
  };
}

const RATIO = 2;
type Pen = CanvasRenderingContext2D;

function drawn(size: number, draw: (pen: Pen, size: number) => void): ImageData {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = size * RATIO;
  const pen = canvas.getContext("2d")!;
  pen.scale(RATIO, RATIO);
  draw(pen, size);
  return pen.getImageData(0, 0, size * RATIO, size * RATIO);
}

/** Circle, square, diamond, hexagon, star of eight: the severities apart without colour. */
function outline(pen: Pen, severity: number, middle: number, radius: number): void {
  pen.beginPath();
  if (severity === 1) pen.arc(middle, middle, radius, 0, 2 * Math.PI);
  else {
    const [corners, turn] = [[4, Math.PI / 4], [4, 0], [6, 0], [16, 0]][severity - 2] as [number, number];
    for (let n = 0; n < corners; n += 1) {
      const reach = severity === 5 ? (n % 2 ? radius * 0.86 : radius * 1.08) : radius * (severity === 2 ? 1.2 : 1.12);
      const angle = turn + (2 * Math.PI * n) / corners - Math.PI / 2;
      pen.lineTo(middle + reach * Math.cos(angle), middle + reach * Math.sin(angle));
    }
  }
  pen.closePath();
}

export type Urgent = "late" | "soon" | "calm";

function order(look: Look, severity: number, urgency: Urgent, inHand: boolean): ImageData {
  const radius = 8 + severity;
  return drawn(44, (pen, size) => {
    const middle = size / 2;
    const rings = urgency === "late" ? 2 : urgency === "soon" ? 1 : 0;
    for (let n = 1; n <= rings; n += 1) {
      outline(pen, severity, middle, radius + 1 + n * 3);
      pen.lineWidth = 1.8;
      pen.strokeStyle = look.colour(urgency === "late" ? "bad" : "text");
      pen.stroke();
    }
    outline(pen, severity, middle, radius);
    pen.fillStyle = inHand ? look.colour("card") : look.colour(`severity-${severity}`);
    pen.fill();
    pen.lineWidth = inHand ? 2.5 : 1.5;
    pen.strokeStyle = inHand && severity > 2 ? look.colour(severity === 3 ? "on-severity-3" : `severity-${severity}`) : look.colour("soft");
    if (look.dark && inHand && severity === 3) pen.strokeStyle = look.colour("severity-3");
    pen.stroke();
    pen.fillStyle = inHand ? look.colour("text") : look.colour(`on-severity-${severity}`);
    pen.font = `700 ${10 + severity}px sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(String(severity), middle, middle + 0.5);
  });
}

function crew(look: Look, state: "idle" | "busy", stale: boolean): ImageData {
  return drawn(26, (pen, size) => {
    const middle = size / 2;
    pen.beginPath();
    pen.arc(middle, middle, 10, 0, 2 * Math.PI);
    pen.fillStyle = state === "busy" ? look.colour("accent") : look.colour("card");
    pen.globalAlpha = stale ? 0.55 : 1;
    pen.fill();
    pen.globalAlpha = 1;
    pen.setLineDash(stale ? [3, 2.5] : []);
    pen.lineWidth = 2;
    pen.strokeStyle = state === "busy" ? look.colour("text") : look.colour("good");
    pen.stroke();
    pen.fillStyle = state === "busy" ? look.colour("on-accent") : look.colour("good");
    pen.beginPath();
    pen.arc(middle, middle - 3, 3, 0, 2 * Math.PI);
    pen.fill();
    pen.beginPath();
    pen.arc(middle, middle + 7, 5.5, Math.PI, 2 * Math.PI);
    pen.fill();
  });
}

/** Every picture by its name: `order-5-late-open`, `crew-busy-stale`. */
export function pictures(look: Look): Map<string, ImageData> {
  const made = new Map<string, ImageData>();
  for (const severity of [1, 2, 3, 4, 5]) {
    for (const urgency of ["late", "soon", "calm"] as const) {
      made.set(`order-${severity}-${urgency}-open`, order(look, severity, urgency, false));
      made.set(`order-${severity}-${urgency}-hand`, order(look, severity, urgency, true));
    }
  }
  for (const state of ["idle", "busy"] as const) {
    made.set(`crew-${state}-fresh`, crew(look, state, false));
    made.set(`crew-${state}-stale`, crew(look, state, true));
  }
  return made;
}

export { RATIO };
