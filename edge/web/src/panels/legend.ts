/** Names of series beside their colours, each a button that hides or shows it. */

import { h } from "../dom";

export interface Entry {
  name: string;
  colour: string;
  /** A figure beside the name, such as a slice's share. */
  detail?: string;
}

/** A list of entries; `toggle` is called with the place of the one to hide or show. */
export function legend(
  entries: Entry[],
  isVisible: (index: number) => boolean,
  toggle: (index: number) => void,
): HTMLElement {
  const items = entries.map((entry, index) => {
    const swatch = h("span", { class: "swatch", "aria-hidden": "true" });
    // A property of the object model, which the page's style policy allows.
    swatch.style.setProperty("--swatch", entry.colour);
    const button = h(
      "button",
      { class: "legend-entry", type: "button", "aria-pressed": String(isVisible(index)) },
      swatch,
      h("span", { class: "legend-name" }, entry.name),
      entry.detail ? h("span", { class: "legend-detail" }, entry.detail) : null,
    );
    button.addEventListener("click", () => {
      toggle(index);
      button.setAttribute("aria-pressed", String(isVisible(index)));
    });
    return h("li", {}, button);
  });
  return h("ul", { class: "legend" }, ...items);
}
