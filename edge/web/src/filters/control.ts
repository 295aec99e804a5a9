/**
 * What every filter control has in common: a label, a place for a message, and
 * a value that can be set from outside. Each kind supplies only its field.
 */

import type { Filter, FilterValue } from "../api";
import { h, uniqueId } from "../dom";

/** The part of a control that differs by kind. */
export interface Field {
  element: HTMLElement;
  /** What the label points at and a message describes; with several or none, the element is a group. */
  inputs: HTMLElement[];
  /** Shows a value without reporting it as a change. */
  show(value: FilterValue): void;
}

/** Called with each value a reader chooses. */
export type Report = (value: FilterValue) => void;

export class Control {
  readonly element: HTMLElement;
  readonly #field: Field;
  readonly #message: HTMLElement;

  constructor(filter: Filter, field: Field) {
    this.#field = field;
    const [only, ...others] = field.inputs;
    const labelId = uniqueId("label");
    const isGroup = only === undefined || others.length > 0;
    const words = [
      filter.label,
      filter.required ? h("span", { class: "filter-required" }, " (required)") : null,
    ];
    this.#message = h("p", { class: "filter-message", role: "alert", id: uniqueId("message"), hidden: true });

    if (isGroup) {
      if (!field.element.hasAttribute("role")) field.element.setAttribute("role", "group");
      field.element.setAttribute("aria-labelledby", labelId);
    } else {
      only.id ||= uniqueId("field");
    }
    this.element = h(
      "div",
      { class: "filter", "data-filter": filter.slug, "data-kind": filter.kind, "data-mode": filter.mode },
      isGroup
        ? h("span", { class: "filter-label", id: labelId }, ...words)
        : h("label", { class: "filter-label", id: labelId, for: only.id }, ...words),
      field.element,
      this.#message,
    );
  }

  show(value: FilterValue): void {
    this.#field.show(value);
  }

  /** Says what is wrong with the value; `null` takes the message away. */
  complain(words: string | null): void {
    this.#message.hidden = words === null;
    this.#message.textContent = words ?? "";
    const { inputs, element } = this.#field;
    for (const target of inputs.length > 0 ? inputs : [element]) {
      if (words === null) {
        target.removeAttribute("aria-invalid");
        target.removeAttribute("aria-describedby");
      } else {
        target.setAttribute("aria-invalid", "true");
        target.setAttribute("aria-describedby", this.#message.id);
      }
    }
  }
}
