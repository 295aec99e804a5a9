/** Yes, no, or (unless an answer is required) either: native radio buttons in one strip. */

import type { Filter, FilterValue } from "../api";
import { h, uniqueId } from "../dom";
import type { Field, Report } from "./control";

export function booleanField(filter: Filter, report: Report): Field {
  const name = uniqueId("choice");
  const answers: [string, FilterValue][] = [
    ["Yes", true],
    ["No", false],
  ];
  if (!filter.required) answers.unshift(["Any", null]);

  const radios = answers.map(([label, value]) => {
    const input = h("input", { type: "radio", name, class: "visually-hidden" });
    input.addEventListener("change", () => report(value));
    return { input, value, element: h("label", { class: "choice" }, input, h("span", {}, label)) };
  });
  return {
    element: h("div", { class: "choices", role: "radiogroup" }, ...radios.map((radio) => radio.element)),
    // A message belongs to the question, not to each of its answers.
    inputs: [],
    show: (value) => {
      const shown = typeof value === "boolean" ? value : null;
      for (const radio of radios) radio.input.checked = radio.value === shown;
    },
  };
}
