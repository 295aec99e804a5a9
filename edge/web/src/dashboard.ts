/**
 * An open dashboard, whatever opened it: filters, cards, and a run whenever a
 * filter changes. How it was reached, and what becomes of failures that no
 * filter explains, is the business of its page.
 *
 * `<main data-state>` tells how far it is: `loading` until the first figures,
 * `ready` with figures (or with filters that wait for a value), `error` when
 * the last attempt failed.
 */

import { ApiError, type DashboardApi, type Executed, type Parameters, type Resolved } from "./api";
import { region } from "./dom";
import { FilterBar } from "./filters/bar";
import type { Notice } from "./notice";
import { Grid } from "./panels/grid";
import { FilterState } from "./state";

/** Joins the letters of a word and the two ends of a date range into one run. */
const SETTLE_MS = 150;

/** What a page gives to its dashboard. */
export interface Surroundings {
  api: DashboardApi;
  notice: Notice;
  /** Whether the viewer sees the filters. */
  showsFilters: boolean;
  /** It stands still: with figures, or with filters that wait for a value. */
  settled(executed: Executed | null): void;
  /** A run failed, and no filter explains why. */
  failed(cause: unknown, retry: () => void): void;
  /** The viewer has changed a filter. */
  changed(parameters: Parameters): void;
}

const main = region("main");
const live = region("live");

export class Dashboard {
  readonly #surroundings: Surroundings;
  readonly #state: FilterState;
  readonly #filters: FilterBar | null;
  readonly #grid: Grid;
  #pending = new AbortController();
  #settling: number | undefined;

  /** Filters begin with what the address says. */
  constructor({ dashboard, filters }: Resolved, surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#state = new FilterState(filters, new URLSearchParams(location.search), () => {
      this.#changed();
      surroundings.changed(this.#state.parameters());
    });
    const place = region("filters");
    place.hidden = !surroundings.showsFilters;
    this.#filters = surroundings.showsFilters
      ? new FilterBar(place, filters, this.#state, surroundings.api)
      : null;
    this.#grid = new Grid(region("panels"), dashboard.layout);
  }

  /** Fetches and shows figures for the filters as they are; abandons an earlier run. */
  async run(): Promise<void> {
    this.#pending.abort();
    if (this.#filters?.check()) return this.#wait();
    const { signal } = (this.#pending = new AbortController());
    this.#grid.setBusy(true);
    // The same words twice would not be announced twice.
    live.textContent = "";
    try {
      const executed = await this.#surroundings.api.execute(this.#state.parameters(), signal);
      if (!signal.aborted) this.#show(executed);
    } catch (cause) {
      if (!signal.aborted) this.#refused(cause);
    }
  }

  /** Sets filters by the names of their parameters, as the page around it asks; others keep their values. */
  assign(parameters: Record<string, unknown>): void {
    if (!this.#state.assign(parameters)) return;
    this.#filters?.show();
    this.#changed();
  }

  /** Leaves its place to another dashboard. */
  close(): void {
    this.#pending.abort();
    clearTimeout(this.#settling);
    this.#grid.close();
  }

  #changed(): void {
    // The address mirrors the view, without a history entry per keystroke.
    history.replaceState(history.state, "", `${location.pathname}${this.#state.query()}${location.hash}`);
    this.#filters?.refresh();
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => void this.run(), SETTLE_MS);
  }

  #show(executed: Executed): void {
    this.#grid.show(executed.panels);
    this.#grid.setBusy(false);
    this.#surroundings.notice.clear();
    const count = executed.panels.length;
    live.textContent = `Updated: ${count} ${count === 1 ? "panel" : "panels"}`;
    main.dataset["state"] = "ready";
    this.#surroundings.settled(executed);
  }

  /** A filter lacks a usable value, and says so itself. */
  #wait(): void {
    this.#rest();
    this.#surroundings.notice.clear();
    main.dataset["state"] = "ready";
    this.#surroundings.settled(null);
  }

  #refused(cause: unknown): void {
    this.#rest();
    main.dataset["state"] = "error";
    if (
      cause instanceof ApiError &&
      cause.filterSlug !== null &&
      this.#filters?.complain(cause.filterSlug, cause.message)
    ) {
      this.#surroundings.notice.clear();
    } else {
      this.#surroundings.failed(cause, () => void this.run());
    }
  }

  /** No figures are on their way. */
  #rest(): void {
    this.#grid.abandon();
    this.#grid.setBusy(false);
  }
}
