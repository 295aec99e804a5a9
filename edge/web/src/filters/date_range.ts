/** Two dates, either of which may stay open. */

import type { Filter } from "../api";
import { h } from "../dom";
import { isRange } from "../state";
import type { Field, Report } from "./control";

export function dateRangeField(filter: Filter, report: Report): Field {
  const start = h("input", { class: "input", type: "date", "aria-label": `${filter.label}, from` });
  const end = h("input", { class: "input", type: "date", "aria-label": `${filter.label}, to` });
  const changed = (): void => {
    if (start.validity.badInput || end.validity.badInput) return;
    report({ start: start.value || null, end: end.value || null });
  };
  start.addEventListener("input", changed);
  end.addEventListener("input", changed);
  return {
    element: h(
      "div",
      { class: "range" },
      start,
      h("span", { class: "range-to", "aria-hidden": "true" }, "to"),
      end,
    ),
    inputs: [start, end],
    show: (value) => {
      const range = isRange(value) ? value : { start: null, end: null };
      start.value = range.start ?? "";
      end.value = range.end ?? "";
    },
  };
}
