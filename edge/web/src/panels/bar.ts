/** Bars by category; they lie down when the names are long or many. */

import type { ChartDataset } from "chart.js";

import { columnTitle } from "../format";
import { axisNames, cartesian, font, seriesEntries } from "./axes";
import type { Draw } from "./chart";
import { axis, measured, measures } from "./columns";
import { describeSeries } from "./summary";
import { seriesColour } from "./theme";
import { timeline } from "./time";

/** A longer name would be turned or cut under an upright bar. */
const LONG_NAME = 14;
/** A wide card holds this many names side by side, and a lying chart this many below one another. */
const SIDE_BY_SIDE = 10;
const ONE_BELOW_ANOTHER = 20;

/** Letters of a name that still leave room for its bar on a phone. */
const SHOWN_LETTERS = 22;

export const drawBar: Draw = (widget, result, colours) => {
  const along = axis(widget, result);
  if (!along) return null;
  const time = timeline(along);
  const names = axisNames(along, time);
  const ys = measures(widget, result);
  const isCrowded = names.length > SIDE_BY_SIDE || names.some((name) => name.length > LONG_NAME);
  const isLying = !time && isCrowded && names.length <= ONE_BELOW_ANOTHER;

  const datasets: ChartDataset<"bar", (number | null)[]>[] = ys.map((series, index) => ({
    label: columnTitle(series.column),
    data: series.values.map(measured),
    backgroundColor: seriesColour(colours, index),
    borderRadius: 5,
    maxBarThickness: 44,
    categoryPercentage: 0.72,
    barPercentage: 0.92,
  }));
  return {
    config: {
      type: "bar",
      data: { labels: names, datasets: datasets as ChartDataset[] },
      options: cartesian(
        colours,
        { unit: widget.unit, fromZero: true, isHorizontal: isLying },
        {
          type: "category",
          border: { color: colours.grid },
          grid: { display: false },
          ticks: {
            color: isLying ? colours.text : colours.muted,
            font: font(colours),
            maxRotation: 0,
            autoSkip: !isLying,
            autoSkipPadding: 12,
            padding: 6,
            callback: (value) => shorten(names[Number(value)] ?? ""),
          },
        },
      ),
    },
    entries: seriesEntries(ys, colours),
    isRing: false,
    summary: `Bar chart of ${widget.title}, ${names.length} bars. ${describeSeries(ys, widget.unit, names)}`,
  };
};

function shorten(name: string): string {
  return name.length > SHOWN_LETTERS ? `${name.slice(0, SHOWN_LETTERS - 1).trimEnd()}…` : name;
}
