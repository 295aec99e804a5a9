/**
 * What the pages ask the server, always on their own origin: shares, and embeds; what the
 * portal asks stands in `portal/api.ts`. The types name only what the pages read. Every failure becomes an
 * {@link ApiError}; an abandoned request stays an `AbortError`.
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
  /** Those of its parameters that stay with the server; only an embed's filters have any. */
  withheld?: string[];
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
  dashboard: { name: string; description?: string | null; layout: Widget[] };
  filters: Filter[];
}

/** How an embed looks beside the page around it; `auto` follows the viewer. */
export type Scheme = "light" | "dark" | "auto";

export interface Embedded extends Resolved {
  embed: {
    expires_at: string;
    /** Parameters that the viewer may set. */
    allowed_params: string[];
    /** Sites that may stand around the view: origins, or `https://*.example.com`. */
    allowed_origins: string[];
    hide_header: boolean;
    hide_controls: boolean;
    theme: Scheme;
  };
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

/** What a dashboard asks while it is open. */
export interface DashboardApi {
  execute(parameters: Parameters, signal: AbortSignal): Promise<Executed>;
  options(slug: string, search: string, signal: AbortSignal): Promise<Option[]>;
}

/** Reads one share; the token is that of the page's own address. */
export class ShareApi implements DashboardApi {
  readonly #base: string;

  constructor(token: string) {
    this.#base = `/api/v1/public/shares/${encodeURIComponent(token)}`;
  }

  resolve(): Promise<Resolved> {
    return read(`${this.#base}/resolve`, {});
  }

  /** Ends with a cookie that the page's next requests carry; `null` where no password is needed. */
  async unlock(password: string | null): Promise<void> {
    await call(`${this.#base}/unlock`, post(password === null ? {} : { password }));
  }

  execute(parameters: Parameters, signal: AbortSignal): Promise<Executed> {
    return read(`${this.#base}/execute`, { ...post({ parameters }), signal });
  }

  async options(slug: string, search: string, signal: AbortSignal): Promise<Option[]> {
    return (await read<{ options: Option[] }>(this.#base + optionsPath(slug, search), { signal })).options;
  }
}

/** Reads one embed; its token goes in a header, so that no log of addresses has it. */
export class EmbedApi implements DashboardApi {
  static readonly #base = "/api/embed/d/self";
  #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  /** Goes on with another token of the same dashboard. */
  replace(token: string): void {
    this.#token = token;
  }

  /** The embed, and what the server's clock said: the viewer's may be wrong. */
  async info(): Promise<{ embedded: Embedded; servedAt: number | null }> {
    const response = await call(`${EmbedApi.#base}/info`, this.#signed({}));
    const date = Date.parse(response.headers.get("date") ?? "");
    return { embedded: await json<Embedded>(response), servedAt: Number.isNaN(date) ? null : date };
  }

  execute(parameters: Parameters, signal: AbortSignal): Promise<Executed> {
    return read(`${EmbedApi.#base}/execute`, this.#signed({ ...post({ parameters }), signal }));
  }

  async options(slug: string, search: string, signal: AbortSignal): Promise<Option[]> {
    const path = EmbedApi.#base + optionsPath(slug, search);
    return (await read<{ options: Option[] }>(path, this.#signed({ signal }))).options;
  }

  /** In a frame cookies are another site's: none are needed, none are sent. */
  #signed(init: RequestInit): RequestInit {
    const headers = { ...init.headers, authorization: `Bearer ${this.#token}` };
    return { ...init, headers, credentials: "omit" };
  }
}

/** The token in the address of a share page, `/share/{token}`. */
export function tokenFrom(pathname: string): string {
  return decodeURIComponent(pathname.split("/")[2] ?? "");
}

function optionsPath(slug: string, search: string): string {
  const query = search ? `?search=${encodeURIComponent(search)}` : "";
  return `/filters/${encodeURIComponent(slug)}/options${query}`;
}

/** What sends a body. */
export function post(body: unknown): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** Calls, and reads the answer. */
export async function read<T>(path: string, init: RequestInit): Promise<T> {
  return json<T>(await call(path, init));
}

/** Calls; whatever is no success is thrown, in words. */
export async function call(path: string, init: RequestInit): Promise<Response> {
  const response = await reached(
    fetch(path, { credentials: "same-origin", referrerPolicy: "no-referrer", ...init }),
  );
  if (response.ok) return response;
  throw await refusal(response);
}

/** Reads an answer. */
export function json<T>(response: Response): Promise<T> {
  return reached(response.json() as Promise<T>);
}

/** Reads an answer by its text. */
export async function parsed<T>(response: Response, parse: (text: string) => T): Promise<T> {
  return reached(response.text().then(parse));
}

/** Says in words that something broke on the way. */
async function reached<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw new ApiError("The data can’t be reached. Check your connection.", 0, "", null, null);
  }
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
