/** How long to wait before each of several tries: not at all, then from 1 s to a minute, scattered. */

const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

export class Backoff {
  #tries = 0;

  /** The wait before the next try. */
  next(): number {
    this.#tries += 1;
    if (this.#tries === 1) return 0;
    // Displays that failed together must not come back together.
    return Math.min(FIRST_MS * 2 ** (this.#tries - 2), LONGEST_MS) * (0.75 + Math.random() / 4);
  }

  reset(): void {
    this.#tries = 0;
  }
}
