/** What is known of a thing on a map, as a list: the names and values are the archive's, and stay text. */

import { h } from "../dom";

/** More would not be read. */
const MOST = 12;

/** `null` when nothing is known. */
export function details(properties: Record<string, unknown>): HTMLElement | null {
  const known = Object.entries(properties).filter(([, value]) => value !== null && value !== "");
  if (known.length === 0) return null;
  return h(
    "dl",
    { class: "map-details" },
    ...known.slice(0, MOST).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))),
  );
}
