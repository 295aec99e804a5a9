/** What the page of a data product asks the server. */

import { call, type Cell, type Column, parsed, read } from "../api";
import { parseExactly } from "./exact";

/** What a cell of a table holds. */
export type Value = Cell | bigint;

export interface ProductColumn extends Column {
  sortable: boolean;
}

export interface Product {
  name: string;
  columns: ProductColumn[];
  row_count: number;
  loaded_at: string;
}

export interface ResolvedProduct {
  share: { expires_at: string | null };
  data_product: Product;
}

/** Which rows, in which order. */
export interface Question {
  sort: string | null;
  descending: boolean;
  search: string;
}

export interface PageRows {
  rows: Value[][];
  total: number;
  next_cursor: string | null;
}

export class ProductApi {
  readonly #base: string;

  constructor(token: string) {
    this.#base = `/api/v1/public/shares/${encodeURIComponent(token)}`;
  }

  resolve(): Promise<ResolvedProduct> {
    return read(`${this.#base}/resolve`, {});
  }

  async page(
    question: Question,
    from: { offset: number } | { cursor: string | null },
    limit: number,
    signal: AbortSignal,
  ): Promise<PageRows> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (question.sort !== null) {
      query.set("sort", question.sort);
      query.set("order", question.descending ? "desc" : "asc");
    }
    if (question.search) query.set("search", question.search);
    if ("offset" in from) query.set("offset", String(from.offset));
    else if (from.cursor !== null) query.set("cursor", from.cursor);
    const response = await call(`${this.#base}/data?${query.toString()}`, { signal });
    return parsed(response, parseExactly<PageRows>);
  }

  download(format: string): string {
    return `${this.#base}/data/download?format=${format}`;
  }
}
