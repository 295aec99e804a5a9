/** Two dates, either of which may stay open, or be no business of the viewer. */

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
  const isSet = (place: number): boolean => !filter.withheld?.includes(filter.parameters[place] ?? "");
  const both = [start, word("to"), end];
  const ends = !isSet(1) ? [word("from"), start] : !isSet(0) ? [word("until"), end] : both;
  return {
    element: h("div", { class: "range" }, ...ends),
    inputs: [start, end].filter((input) => ends.includes(input)),
    show: (value) => {
      const range = isRange(value) ? value : { start: null, end: null };
      start.value = range.start ?? "";
      end.value = range.end ?? "";
    },
  };
}

function word(text: string): HTMLElement {
  return h("span", { class: "range-to", "aria-hidden": "true" }, text);
}
