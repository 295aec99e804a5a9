/** One figure, large: the first measured column of the first row. */

import type { Cell, PanelResult, Widget } from "../api";
import { h } from "../dom";
import { formatCell, formatFigure, formatNumber, isPrefix, NOTHING, withUnit } from "../format";
import type { Body } from "./body";
import { series } from "./columns";

export function numberBody(widget: Widget): Body {
  const figure = h("span", { class: "figure" });
  const value = h("p", { class: "kpi", "data-value": "" }, figure);
  return {
    element: value,
    hasContent: (result) => cellOf(widget, result)?.cell != null,
    show: (result) => {
      const found = cellOf(widget, result);
      const cell = found?.cell ?? null;
      value.classList.toggle("kpi-words", typeof cell === "string");
      value.setAttribute("data-value", cell === null ? "" : String(cell));
      if (typeof cell === "number") {
        figure.textContent = formatFigure(cell);
        // The headline is rounded; the exact figure is one hover away.
        value.title = withUnit(formatNumber(cell), widget.unit);
      } else {
        figure.textContent = found && cell !== null ? formatCell(cell, found.column) : NOTHING;
        value.removeAttribute("title");
      }
      const unit = widget.unit ? h("span", { class: "unit" }, widget.unit) : null;
      const parts = widget.unit && isPrefix(widget.unit) ? [unit, figure] : [figure, unit];
      value.replaceChildren(...parts.filter((part) => part !== null));
    },
  };
}

function cellOf(widget: Widget, result: PanelResult) {
  const name = widget.y[0] ?? result.columns[0]?.name ?? "";
  const found = series(result, name);
  return found ? { column: found.column, cell: (found.values[0] ?? null) as Cell } : null;
}
