/**
 * Building elements without markup strings: text stays text, so nothing that
 * comes from a dashboard can become HTML, and the page's CSP needs no exception.
 */

type Attribute = string | number | boolean | null | undefined;
type Child = Node | string | null | undefined;

/**
 * Makes an element. `true` sets an attribute without a value; `false`, `null`
 * and `undefined` leave it out.
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child != null));
  return element;
}

const ICONS = {
  check: "M3.5 8.5l3 3 6-7",
  chevron: "M4 6l4 4 4-4",
  close: "M4.5 4.5l7 7m0-7l-7 7",
  lock: "M4.5 7.5h7v5h-7zM6 7.5V5.5a2 2 0 0 1 4 0v2",
  reset: "M3.5 3.5v3h3M3.8 6.5A4.7 4.7 0 1 1 3.4 9.4",
  sliders: "M2.5 5h6m3 0h2M2.5 11h2m3 0h6M8.5 3.2v3.6M4.5 9.2v3.6",
  table: "M2.5 3.5h11v9h-11zM2.5 6.5h11M2.5 9.5h11M6.5 6.5v6",
} as const;

/** A decorative 16-unit line icon; the text beside it carries the meaning. */
export function icon(name: keyof typeof ICONS): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

let made = 0;

/** An id that is unique on the page, for labels and descriptions. */
export function uniqueId(prefix: string): string {
  made += 1;
  return `${prefix}-${made}`;
}

/** The element of the server-rendered shell with this id. */
export function region(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}
