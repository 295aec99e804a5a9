/**
 * The share page: resolves the link, builds filters and cards, and runs the
 * dashboard whenever a filter changes. Start reading here.
 *
 * `<main data-state>` tells how far it is: `loading` until the first figures,
 * `ready` with figures (or with filters that wait for a value), `error` when
 * the last attempt failed.
 */

import { ApiError, ShareApi, tokenFrom, type Executed, type Resolved } from "./api";
import { h, region } from "./dom";
import { FilterBar } from "./filters/bar";
import { expiry, freshness } from "./footer";
import { Notice } from "./notice";
import { Grid } from "./panels/grid";
import { FilterState } from "./state";

/** Joins the letters of a word and the two ends of a date range into one run. */
const SETTLE_MS = 150;

const main = region("main");
const live = region("live");
const notice = new Notice(region("notice"));
const api = new ShareApi(tokenFrom(location.pathname));

void open();

async function open(): Promise<void> {
  try {
    const resolved = await api.resolve();
    await new Dashboard(resolved).run();
  } catch (cause) {
    fail(cause, () => void open());
  }
}

class Dashboard {
  readonly #state: FilterState;
  readonly #filters: FilterBar;
  readonly #grid: Grid;
  readonly #expiresAt: string | null;
  #pending = new AbortController();
  #settling: number | undefined;

  constructor({ share, dashboard, filters }: Resolved) {
    this.#expiresAt = share.expires_at;
    this.#state = new FilterState(filters, new URLSearchParams(location.search), () => this.#changed());
    this.#filters = new FilterBar(region("filters"), filters, this.#state, api);
    this.#grid = new Grid(region("panels"), dashboard.layout);
  }

  /** Fetches and shows figures for the filters as they are; abandons an earlier run. */
  async run(): Promise<void> {
    this.#pending.abort();
    if (this.#filters.check()) return this.#wait();
    const { signal } = (this.#pending = new AbortController());
    this.#grid.setBusy(true);
    // The same words twice would not be announced twice.
    live.textContent = "";
    try {
      const executed = await api.execute(this.#state.parameters(), signal);
      if (!signal.aborted) this.#show(executed);
    } catch (cause) {
      if (!signal.aborted) this.#refused(cause);
    }
  }

  #changed(): void {
    // The address mirrors the view, without a history entry per keystroke.
    history.replaceState(null, "", `${location.pathname}${this.#state.query()}${location.hash}`);
    this.#filters.refresh();
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => void this.run(), SETTLE_MS);
  }

  #show(executed: Executed): void {
    this.#grid.show(executed.panels);
    this.#grid.setBusy(false);
    notice.clear();
    region("freshness").replaceChildren(...freshness(executed), ...expiry(this.#expiresAt));
    const count = executed.panels.length;
    live.textContent = `Updated: ${count} ${count === 1 ? "panel" : "panels"}`;
    main.dataset["state"] = "ready";
  }

  /** A filter lacks a usable value, and says so itself. */
  #wait(): void {
    this.#rest();
    notice.clear();
    main.dataset["state"] = "ready";
  }

  #refused(cause: unknown): void {
    this.#rest();
    if (
      cause instanceof ApiError &&
      cause.filterSlug !== null &&
      this.#filters.complain(cause.filterSlug, cause.message)
    ) {
      notice.clear();
      main.dataset["state"] = "error";
      return;
    }
    fail(cause, () => void this.run());
  }

  /** No figures are on their way. */
  #rest(): void {
    this.#grid.abandon();
    this.#grid.setBusy(false);
  }
}

function fail(cause: unknown, retry: () => void): void {
  // Not a refusal but a fault of this page: the console should have it.
  if (!(cause instanceof ApiError)) console.error(cause);
  const error =
    cause instanceof ApiError ? cause : new ApiError("This page couldn’t be shown.", 0, "", null, null);
  if (error.code === "TOKEN_INVALID") return leave();
  // The grant has ended: the form stands at this address, and keeps it.
  if (error.code === "AUTH_REQUIRED") return location.reload();
  main.dataset["state"] = "error";
  notice.show(error, retry);
}

/**
 * The link is dead: the server says so best, with its one page for every dead
 * link. Only when this load already was a reload do the words stand here, so
 * that a page and an interface of different minds can't reload for ever.
 */
function leave(): void {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  if (navigation?.type !== "reload") return location.reload();
  document.title = "This link doesn’t open anything";
  document.body.replaceChildren(
    h(
      "main",
      { class: "lone" },
      h("h1", {}, document.title),
      h("p", {}, "It may have expired or been replaced. Ask the person who sent it for a new one."),
    ),
  );
}
