/**
 * The row of filter controls: builds one control per filter, shows what the
 * state holds and hands it what the reader chooses. On a phone it folds away
 * behind a button that says how many filters are set.
 */

import type { DashboardApi, Filter } from "../api";
import { h, icon } from "../dom";
import { isRange, type FilterState } from "../state";
import { booleanField } from "./boolean";
import { comboboxField } from "./combobox";
import { Control, type Field, type Report } from "./control";
import { dateRangeField } from "./date_range";
import { dateField, numberField, textField } from "./input";
import { lockedField } from "./locked";
import type { Fetch } from "./options";
import { selectField } from "./select";

export class FilterBar {
  readonly #filters: Filter[];
  readonly #state: FilterState;
  readonly #controls = new Map<string, Control>();
  readonly #reset = h(
    "button",
    { class: "button", type: "button", "data-action": "reset" },
    icon("reset"),
    "Reset",
  );
  readonly #toggle = h("button", {
    class: "button filters-toggle",
    type: "button",
    "aria-expanded": "false",
    "aria-controls": "filters-form",
  });

  constructor(place: HTMLElement, filters: Filter[], state: FilterState, api: DashboardApi) {
    this.#filters = filters;
    this.#state = state;
    const form = h("form", { class: "filters-form", id: "filters-form" });
    // Enter in a field must not load the page anew: every change already took effect.
    form.addEventListener("submit", (event) => event.preventDefault());

    for (const filter of filters) {
      const report: Report = (value) => state.set(filter.slug, value);
      const options: Fetch = (search, signal) => api.options(filter.slug, search, signal);
      const control = new Control(filter, fieldFor(filter, options, report));
      this.#controls.set(filter.slug, control);
      form.append(control.element);
    }
    this.#reset.addEventListener("click", () => {
      state.reset();
      this.show();
    });
    this.#toggle.addEventListener("click", () => {
      const open = this.#toggle.getAttribute("aria-expanded") !== "true";
      this.#toggle.setAttribute("aria-expanded", String(open));
    });
    if (filters.some((filter) => filter.mode !== "locked")) form.append(this.#reset);
    place.hidden = filters.length === 0;
    place.replaceChildren(this.#toggle, form);
    this.show();
    this.refresh();
  }

  /** Shows in every control what the state holds. */
  show(): void {
    for (const [slug, control] of this.#controls) control.show(this.#state.get(slug));
  }

  /** Brings counts and buttons in line with the state. */
  refresh(): void {
    const { touched } = this.#state;
    this.#reset.disabled = touched === 0;
    this.#toggle.replaceChildren(icon("sliders"), "Filters");
    if (touched > 0) this.#toggle.append(h("span", { class: "count" }, `${touched} set`));
  }

  /** Replaces earlier complaints by those that need no server; `true` when there are any. */
  check(): boolean {
    for (const control of this.#controls.values()) control.complain(null);
    for (const filter of this.#state.missing) this.complain(filter.slug, "Choose a value to see the data.");
    const turned = this.#filters.filter((filter) => {
      const value = this.#state.get(filter.slug);
      return isRange(value) && value.start !== null && value.end !== null && value.start > value.end;
    });
    for (const filter of turned) this.complain(filter.slug, "The first date is after the second.");
    return turned.length > 0 || this.#state.missing.length > 0;
  }

  /** Puts words at one control; `false` when this page shows no such control. */
  complain(slug: string, words: string): boolean {
    const control = this.#controls.get(slug);
    control?.complain(words);
    // A message behind a folded panel would help nobody.
    if (control) this.#toggle.setAttribute("aria-expanded", "true");
    return control !== undefined;
  }
}

function fieldFor(filter: Filter, options: Fetch, report: Report): Field {
  if (filter.mode === "locked") return lockedField(filter);
  switch (filter.kind) {
    case "select":
      return filter.source === "dynamic"
        ? comboboxField(filter, options, report)
        : selectField(filter, options, report);
    case "multi_select":
      return comboboxField(filter, options, report);
    case "number":
      return numberField(filter, report);
    case "date":
      return dateField(filter, report);
    case "date_range":
      return dateRangeField(filter, report);
    case "boolean":
      return booleanField(filter, report);
    case "text":
      return textField(filter, report);
  }
}
