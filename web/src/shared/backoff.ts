/** How long to wait before the n-th try (from 1) to connect again, in ms: doubling to `mostMs`, the upper half by chance. */
export function pauseMs(attempt: number, random: number, { firstMs = 400, mostMs = 10_000 } = {}): number {
  const whole = Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 20));
  return Math.round(whole * (0.5 + random / 2));
}
