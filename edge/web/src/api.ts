/**
 * The public share interface: unlock, resolve, execute and filter options, always
 * on the page's own origin. The types name only what the page reads. Every failure becomes an {@link ApiError}; an abandoned request stays
 * an `AbortError`.
 */

export type Scalar = string | number | boolean;

export interface DateRange {
  start: string | null;
  end: string | null;
}

/** What a filter can be set to; `null` is "not set". */
export type FilterValue = Scalar | Scalar[] | DateRange | null;

export type FilterKind = "select" | "multi_select" | "text" | "number" | "date" | "date_range" | "boolean";

export interface Filter {
  slug: string;
  label: string;
  kind: FilterKind;
  mode: "open" | "selectable" | "locked";
  required: boolean;
  default?: FilterValue;
  /** Only a locked filter has one: what the sharer fixed. */
  value?: FilterValue;
  source: "static" | "dynamic" | "policy" | null;
  /** Names of the execute parameters it feeds: two for a date range, else one. */
  parameters: string[];
}

export interface Widget {
  id: string;
  title: string;
  kind: string;
  x: string | null;
  y: string[];
  unit: string | null;
  /** Twelfths of a row. */
  width: number;
}

export interface Resolved {
  share: { expires_at: string | null };
  dashboard: { layout: Widget[] };
  filters: Filter[];
}

export type ColumnType = "integer" | "number" | "text" | "boolean" | "date" | "timestamp" | "json";

export interface Column {
  name: string;
  type: ColumnType;
}

export type Cell = Scalar | null;

export interface PanelResult {
  id: string;
  columns: Column[];
  rows: Cell[][];
  truncated: boolean;
  error: { error: string; error_code: string } | null;
}

export interface Executed {
  panels: PanelResult[];
  generated_at: string;
  /** `age` in seconds. */
  cache?: { hit: boolean; age: number; stale?: boolean };
}

export interface Option {
  label: string;
  value: Scalar;
}

export type Parameters = Record<string, Scalar | Scalar[] | null>;

/** A refusal or a failure, in words fit for a reader. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** HTTP status, 0 when there was no answer at all. */
    readonly status: number,
    readonly code: string,
    readonly filterSlug: string | null,
    /** Seconds to wait before another try, if the server named them. */
    readonly retryAfter: number | null,
  ) {
    super(message);
  }
}

/** Reads one share; the token is that of the page's own address. */
export class ShareApi {
  readonly #base: string;

  constructor(token: string) {
    this.#base = `/api/v1/public/shares/${encodeURIComponent(token)}`;
  }

  resolve(): Promise<Resolved> {
    return call(`${this.#base}/resolve`, {});
  }

  /** Ends with a cookie that the page's next requests carry; `null` where no password is needed. */
  async unlock(password: string | null): Promise<void> {
    await call(`${this.#base}/unlock`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(password === null ? {} : { password }),
    });
  }

  execute(parameters: Parameters, signal: AbortSignal): Promise<Executed> {
    return call(`${this.#base}/execute`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ parameters }),
      signal,
    });
  }

  async options(slug: string, search: string, signal: AbortSignal): Promise<Option[]> {
    const query = search ? `?search=${encodeURIComponent(search)}` : "";
    const path = `${this.#base}/filters/${encodeURIComponent(slug)}/options${query}`;
    return (await call<{ options: Option[] }>(path, { signal })).options;
  }
}

/** The token in the address of a share page, `/share/{token}`. */
export function tokenFrom(pathname: string): string {
  return decodeURIComponent(pathname.split("/")[2] ?? "");
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, { credentials: "same-origin", referrerPolicy: "no-referrer", ...init });
    if (response.ok) return (await response.json()) as T;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError("The data can’t be reached. Check your connection.", 0, "", null, null);
  }
  throw await refusal(response);
}

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => null)) as Record<string, unknown> | null;
  const text = (name: string): string | null => {
    const value = body?.[name];
    return typeof value === "string" && value ? value : null;
  };
  const seconds = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  return new ApiError(
    text("error") ?? "Something went wrong on our side.",
    response.status,
    text("error_code") ?? "",
    text("filter_slug"),
    Number.isNaN(seconds) ? null : seconds,
  );
}
