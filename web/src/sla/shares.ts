/** The shares of the three times that the board shows. */
import type { Figures, Tallies } from "./figures";

export interface Shares {
  readonly hour: Tallies;
  readonly today: Tallies;
  readonly week: Tallies;
  readonly figures: Figures;
}

export const WINDOWS = ["hour", "today", "week"] as const;
export type Window = (typeof WINDOWS)[number];
