/** One of a fixed list: the native control, at its best on a phone. */

import type { Filter, FilterValue, Option } from "../api";
import { h } from "../dom";
import { isEmpty } from "../state";
import type { Field, Report } from "./control";
import { Options, type Fetch } from "./options";

export function selectField(filter: Filter, fetch: Fetch, report: Report): Field {
  const select = h("select", { class: "input" });
  let options: Option[] = [];
  let shown: FilterValue = null;

  const render = (): void => {
    const known = options.some((option) => option.value === shown);
    const list =
      known || isEmpty(shown)
        ? options
        : [{ label: String(shown), value: shown as Option["value"] }, ...options];
    const unset = h("option", { value: "" }, filter.required ? "Choose…" : "Any");
    if (filter.required) unset.disabled = true;
    // Option values keep their type; the element only knows their place in the list.
    select.replaceChildren(
      unset,
      ...list.map((option, index) => h("option", { value: index }, option.label)),
    );
    select.selectedIndex = list.findIndex((option) => option.value === shown) + 1;
    select.onchange = () => {
      shown = list[select.selectedIndex - 1]?.value ?? null;
      report(shown);
    };
  };

  render();
  new Options(fetch).load("").then(
    (loaded) => {
      options = loaded ?? [];
      render();
    },
    // The value in force stays on show; the run itself says what is wrong with the share.
    () => {},
  );
  return {
    element: h("div", { class: "select" }, select),
    inputs: [select],
    show: (value) => {
      shown = value;
      render();
    },
  };
}
