/** Finding a widget's columns in a result. */

import type { Cell, Column, PanelResult, Widget } from "../api";

export interface Series {
  column: Column;
  values: Cell[];
}

/** One column with its cells, by name. */
export function series(result: PanelResult, name: string): Series | null {
  const index = result.columns.findIndex((column) => column.name === name);
  const column = result.columns[index];
  return column ? { column, values: result.rows.map((row) => row[index] ?? null) } : null;
}

/** The columns a widget measures: those it names, or else all that are numbers. */
export function measures(widget: Widget, result: PanelResult): Series[] {
  const named = widget.y.map((name) => series(result, name)).filter((found) => found !== null);
  if (named.length > 0) return named;
  return result.columns
    .filter((column) => column.name !== widget.x && (column.type === "number" || column.type === "integer"))
    .map((column) => series(result, column.name))
    .filter((found) => found !== null);
}

/** The column a widget runs along: the one it names, or else the first. */
export function axis(widget: Widget, result: PanelResult): Series | null {
  return series(result, widget.x ?? result.columns[0]?.name ?? "");
}

/** A cell as a number to draw, `null` for a gap. */
export function measured(cell: Cell): number | null {
  return typeof cell === "number" && Number.isFinite(cell) ? cell : null;
}
