/**
 * What the filters are set to: the one place that knows values, the query
 * string that mirrors them and the parameters they become. Holds no elements
 * and calls nobody but its one listener.
 *
 * Only what differs from a filter's default is written to the query string, by
 * parameter name (`?location=Seattle&period_start=2012-01-01`). An empty value
 * (`?location=`) says "cleared", which differs from "left at its default".
 */

import type { DateRange, Filter, FilterValue, Parameters, Scalar } from "./api";

export class FilterState {
  readonly #filters: Filter[];
  readonly #values = new Map<string, FilterValue>();
  readonly #changed: () => void;

  /** Locked filters are the server's business: they have no value here. */
  constructor(filters: Filter[], query: URLSearchParams, changed: () => void) {
    this.#filters = filters.filter((filter) => filter.mode !== "locked");
    this.#changed = changed;
    for (const filter of this.#filters) {
      this.#values.set(filter.slug, fromQuery(filter, query) ?? defaultOf(filter));
    }
  }

  get(slug: string): FilterValue {
    return this.#values.get(slug) ?? null;
  }

  set(slug: string, value: FilterValue): void {
    if (same(this.get(slug), value)) return;
    this.#values.set(slug, value);
    this.#changed();
  }

  /** Sets filters by the names of their parameters, without a word to the listener; `true` if any changed. */
  assign(parameters: Record<string, unknown>): boolean {
    const before = this.query();
    for (const filter of this.#filters) this.#values.set(filter.slug, this.#assigned(filter, parameters));
    return this.query() !== before;
  }

  #assigned(filter: Filter, parameters: Record<string, unknown>): FilterValue {
    const value = this.get(filter.slug);
    const wish = (name: string | undefined, otherwise: FilterValue): FilterValue => {
      if (name === undefined || filter.withheld?.includes(name)) return otherwise;
      const wished = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
      return wished === null || isParameter(wished) ? wished : otherwise;
    };
    const [first, second] = filter.parameters;
    if (filter.kind !== "date_range") return wish(first, value);
    const range = isRange(value) ? value : { start: null, end: null };
    return { start: day(wish(first, range.start)), end: day(wish(second, range.end)) };
  }

  reset(): void {
    for (const filter of this.#filters) this.#values.set(filter.slug, defaultOf(filter));
    this.#changed();
  }

  /** How many filters are not at their default. */
  get touched(): number {
    return this.#filters.filter((filter) => !same(this.get(filter.slug), defaultOf(filter))).length;
  }

  /** Required filters that have no value, so a run would be refused. */
  get missing(): Filter[] {
    return this.#filters.filter((filter) => filter.required && isEmpty(this.get(filter.slug)));
  }

  /**
   * Parameters for execute. What is not set is left out; an open filter that was cleared says so by
   * `null`, since the server takes the default for whatever is absent.
   */
  parameters(): Parameters {
    const parameters: Parameters = {};
    for (const filter of this.#filters) {
      for (const [name, value] of pairs(filter, this.get(filter.slug))) {
        const cleared = filter.mode === "open" && !isEmpty(defaultOf(filter));
        if (value !== null || cleared) parameters[name] = value;
      }
    }
    return parameters;
  }

  /** The query string of this view, `""` when everything is at its default. */
  query(): string {
    const query = new URLSearchParams();
    for (const filter of this.#filters) {
      const value = this.get(filter.slug);
      if (same(value, defaultOf(filter))) continue;
      for (const [name, part] of pairs(filter, value)) {
        for (const item of Array.isArray(part) ? part : [part]) query.append(name, String(item ?? ""));
      }
    }
    const text = query.toString();
    return text && `?${text}`;
  }
}

/** Whether a value counts as "not set". */
export function isEmpty(value: FilterValue): boolean {
  if (value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return isRange(value) && value.start === null && value.end === null;
}

export function isRange(value: FilterValue): value is DateRange {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isParameter(value: unknown): value is Scalar | Scalar[] {
  return isScalar(value) || (Array.isArray(value) && value.every(isScalar));
}

function defaultOf(filter: Filter): FilterValue {
  return filter.default ?? null;
}

type Pair = [name: string, value: Scalar | Scalar[] | null];

/** The parameters of one filter that are set here, with their values; `null` for "not set". */
function pairs(filter: Filter, value: FilterValue): Pair[] {
  return allPairs(filter, value).filter(([name]) => !filter.withheld?.includes(name));
}

function allPairs(filter: Filter, value: FilterValue): Pair[] {
  const [first, second] = filter.parameters;
  if (first === undefined) return [];
  if (filter.kind === "date_range") {
    const range = isRange(value) ? value : { start: null, end: null };
    return second === undefined
      ? []
      : [
          [first, range.start],
          [second, range.end],
        ];
  }
  return [[first, isEmpty(value) || isRange(value) ? null : value]];
}

/** What the address asks for; `undefined` when it says nothing usable. */
function fromQuery(filter: Filter, query: URLSearchParams): FilterValue | undefined {
  const [first = "", second = ""] = filter.parameters;
  const text = query.get(first);
  switch (filter.kind) {
    case "date_range": {
      if (text === null && query.get(second) === null) return undefined;
      return { start: isoDate(text), end: isoDate(query.get(second)) };
    }
    case "multi_select": {
      if (text === null) return undefined;
      const like = Array.isArray(filter.default) ? filter.default[0] : undefined;
      return query
        .getAll(first)
        .filter(Boolean)
        .map((item) => scalarLike(like, item));
    }
    default:
      if (text === null) return undefined;
      return text === "" ? CLEARED : single(filter, text);
  }
}

/** Not `null`, which `??` would turn into the default. */
const CLEARED = "";

function single(filter: Filter, text: string): FilterValue | undefined {
  switch (filter.kind) {
    case "number":
      return Number.isFinite(Number(text)) ? Number(text) : undefined;
    case "boolean":
      return text === "true" ? true : text === "false" ? false : undefined;
    case "date":
      return isoDate(text) ?? undefined;
    default:
      return scalarLike(filter.default, text);
  }
}

/** Text from the address in the type of the filter's own values, if one is known. */
function scalarLike(like: unknown, text: string): Scalar {
  if (typeof like === "number" && Number.isFinite(Number(text))) return Number(text);
  if (typeof like === "boolean") return text === "true";
  return text;
}

function day(value: FilterValue): string | null {
  return typeof value === "string" ? isoDate(value) : null;
}

function isoDate(text: string | null): string | null {
  return text !== null && /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : null;
}

function same(a: FilterValue, b: FilterValue): boolean {
  if (isEmpty(a) || isEmpty(b)) return isEmpty(a) === isEmpty(b);
  if (isRange(a)) return isRange(b) && a.start === b.start && a.end === b.end;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item) => b.includes(item));
  }
  return a === b;
}
