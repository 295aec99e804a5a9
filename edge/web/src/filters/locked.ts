/** A filter the sharer fixed and chose to show: text, nothing to operate. */

import type { Filter, FilterValue } from "../api";
import { h, icon } from "../dom";
import { formatDate, formatNumber, NOTHING, parseMoment } from "../format";
import { isEmpty, isRange } from "../state";
import type { Field } from "./control";

export function lockedField(filter: Filter): Field {
  const words = describe(filter.value ?? null, filter.kind);
  return {
    element: h(
      "div",
      { class: "locked" },
      icon("lock"),
      h("span", {}, words),
      h("span", { class: "visually-hidden" }, " (fixed by the sender)"),
    ),
    inputs: [],
    show: () => {},
  };
}

function describe(value: FilterValue, kind: Filter["kind"]): string {
  if (isEmpty(value) || value === null) return NOTHING;
  if (isRange(value)) return `${day(value.start) || "…"} – ${day(value.end) || "…"}`;
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "boolean") return value ? "Yes" : "No";
  if (typeof value === "number") return formatNumber(value);
  return kind === "date" ? day(value) : value;
}

function day(text: string | null): string {
  const epoch = parseMoment(text ?? "");
  return Number.isNaN(epoch) ? (text ?? "") : formatDate(epoch, { dateStyle: "medium" });
}
