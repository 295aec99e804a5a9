/** The kinds that one native input serves: text, number and date. */

import type { Filter } from "../api";
import { h } from "../dom";
import type { Field, Report } from "./control";

export function textField(_filter: Filter, report: Report): Field {
  const input = h("input", {
    class: "input",
    type: "search",
    placeholder: "Any",
    autocomplete: "off",
    spellcheck: "false",
  });
  input.addEventListener("input", () => report(input.value.trim() || null));
  return {
    element: input,
    inputs: [input],
    show: (value) => {
      input.value = value === null ? "" : String(value);
    },
  };
}

export function numberField(_filter: Filter, report: Report): Field {
  const input = h("input", {
    class: "input",
    type: "number",
    placeholder: "Any",
    step: "any",
    inputmode: "decimal",
    autocomplete: "off",
  });
  input.addEventListener("input", () => {
    // Half-typed text such as "-" is neither a number nor "not set": wait for the rest.
    if (!input.validity.badInput) report(input.value === "" ? null : input.valueAsNumber);
  });
  return {
    element: input,
    inputs: [input],
    show: (value) => {
      input.value = typeof value === "number" ? String(value) : "";
    },
  };
}

export function dateField(_filter: Filter, report: Report): Field {
  const input = h("input", { class: "input", type: "date" });
  input.addEventListener("input", () => {
    if (!input.validity.badInput) report(input.value || null);
  });
  return {
    element: input,
    inputs: [input],
    show: (value) => {
      input.value = typeof value === "string" ? value : "";
    },
  };
}
