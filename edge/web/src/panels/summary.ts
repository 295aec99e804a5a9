/** Charts in words: the range of each series, and for a few bars each figure. */

import { columnTitle, formatNumber, withUnit } from "../format";
import { measured, type Series } from "./columns";

/** More figures than this are a table's work. */
const SPOKEN_FIGURES = 8;

/** `names` are those of the bars, if each may be named. */
export function describeSeries(all: Series[], unit: string | null, names: string[] = []): string {
  return all.map((series) => describe(series, unit, names)).join(" ");
}

function describe(series: Series, unit: string | null, names: string[]): string {
  const title = columnTitle(series.column);
  const figure = (value: number): string => withUnit(formatNumber(value), unit);
  const values = series.values.map(measured);
  if (names.length > 0 && names.length <= SPOKEN_FIGURES) {
    const spoken = names.map((name, index) => {
      const value = values[index] ?? null;
      return `${name} ${value === null ? "no data" : figure(value)}`;
    });
    return `${title}: ${spoken.join(", ")}.`;
  }
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return `${title}: no data.`;
  return `${title}: lowest ${figure(Math.min(...known))}, highest ${figure(Math.max(...known))}.`;
}
