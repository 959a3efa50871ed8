import { vi } from 'vitest';

/** Tries until it holds; slow machines get their time. */
export function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  return vi.waitFor(check, { timeout: 15_000, interval: 20 });
}
