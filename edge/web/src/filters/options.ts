/**
 * Options of one filter, fetched as they are needed. A newer request abandons
 * the older one, so a slow answer can never replace a later one.
 */

import type { Option } from "../api";

/** How options are read: the share's own endpoint, bound to one filter. */
export type Fetch = (search: string, signal: AbortSignal) => Promise<Option[]>;

/** Long enough to skip most letters of a typed word, short enough to feel immediate. */
const TYPING_PAUSE_MS = 200;

export class Options {
  readonly #fetch: Fetch;
  #pending = new AbortController();

  constructor(fetch: Fetch) {
    this.#fetch = fetch;
  }

  /** Options for a search; `null` when a later call took its place. */
  async load(search: string, typing = false): Promise<Option[] | null> {
    this.#pending.abort();
    const { signal } = (this.#pending = new AbortController());
    try {
      if (typing) await new Promise((resolve) => setTimeout(resolve, TYPING_PAUSE_MS));
      if (signal.aborted) return null;
      const options = await this.#fetch(search, signal);
      return signal.aborted ? null : options;
    } catch (cause) {
      if (signal.aborted) return null;
      throw cause;
    }
  }
}
