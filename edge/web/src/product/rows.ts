/**
 * The rows of one question, as far as they are here. Without a search every row
 * has its number, so any part is asked for by itself and forgotten when it was
 * not looked at for long. What a search finds is known only from its first row
 * on, page after page.
 */

import type { ProductApi, Question, Value } from "./api";

/** Rows that are asked for at once. */
const BLOCK = 100;
/** Blocks that are kept: some 10,000 rows. */
const KEPT = 100;

interface Told {
  changed: () => void;
  failed: (cause: unknown) => void;
}

export class Rows {
  /** How many there are, as far as is known. */
  count: number;
  /** Is that all? */
  isWhole: boolean;
  readonly #api: ProductApi;
  readonly #question: Question;
  readonly #told: Told;
  readonly #blocks = new Map<number, Value[][]>();
  readonly #asked = new Map<number, AbortController>();
  readonly #found: Value[][] = [];
  readonly #isSearch: boolean;
  #cursor: string | null = null;
  #stopped = false;

  constructor(api: ProductApi, question: Question, total: number, told: Told) {
    this.#api = api;
    this.#question = { ...question };
    this.#told = told;
    this.#isSearch = question.search !== "";
    this.count = this.#isSearch ? 0 : total;
    this.isWhole = !this.#isSearch;
  }

  /** Another question was asked: what is under way is of no use. */
  stop(): void {
    this.#stopped = true;
    for (const asked of this.#asked.values()) asked.abort();
  }

  /** A row, if it is here. */
  at(index: number): Value[] | undefined {
    if (this.#isSearch) return this.#found[index];
    return this.#blocks.get(Math.floor(index / BLOCK))?.[index % BLOCK];
  }

  /** Sees to it that these rows come, the last not included. */
  want(first: number, last: number): void {
    if (this.#isSearch) {
      if (!this.isWhole && last >= this.#found.length) void this.#search();
      return;
    }
    const wanted = new Set<number>();
    for (let block = Math.floor(first / BLOCK); block * BLOCK < Math.min(last, this.count); block += 1) {
      wanted.add(block);
    }
    // Whoever scrolls past a place does not want its rows any more.
    for (const [block, asked] of this.#asked) if (!wanted.has(block)) asked.abort();
    for (const block of wanted) if (!this.#blocks.has(block)) void this.#load(block);
    if (this.count === 0) this.#told.changed();
  }

  async #load(block: number): Promise<void> {
    if (this.#asked.has(block)) return;
    const asked = new AbortController();
    this.#asked.set(block, asked);
    try {
      const rows: Value[][] = [];
      const end = Math.min(BLOCK, this.count - block * BLOCK);
      // Pages of very long rows are shorter than was asked for.
      while (rows.length < end) {
        const offset = block * BLOCK + rows.length;
        const page = await this.#api.page(this.#question, { offset }, end - rows.length, asked.signal);
        rows.push(...page.rows);
        if (page.rows.length === 0) break;
      }
      this.#keep(block, rows);
      if (!this.#stopped) this.#told.changed();
    } catch (cause) {
      if (!asked.signal.aborted) this.#told.failed(cause);
    } finally {
      this.#asked.delete(block);
    }
  }

  #keep(block: number, rows: Value[][]): void {
    this.#blocks.set(block, rows);
    const oldest = this.#blocks.keys().next();
    if (this.#blocks.size > KEPT && !oldest.done) this.#blocks.delete(oldest.value);
  }

  async #search(): Promise<void> {
    if (this.#asked.has(0)) return;
    const asked = new AbortController();
    this.#asked.set(0, asked);
    try {
      const page = await this.#api.page(this.#question, { cursor: this.#cursor }, BLOCK, asked.signal);
      this.#found.push(...page.rows);
      this.#cursor = page.next_cursor;
      this.isWhole = page.next_cursor === null;
      this.count = this.#found.length;
      this.#asked.delete(0);
      if (!this.#stopped) this.#told.changed();
    } catch (cause) {
      this.#asked.delete(0);
      if (!asked.signal.aborted) this.#told.failed(cause);
    }
  }
}
