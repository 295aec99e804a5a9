/** Parts of a whole as a ring; the small ones beyond what eyes tell apart become "Other". */

import type { ChartConfiguration } from "chart.js";

import { formatCell, formatNumber, formatShare, withUnit } from "../format";
import { font, motion, tooltip } from "./axes";
import type { Draw } from "./chart";
import { axis, measured, measures } from "./columns";
import { seriesColour } from "./theme";

const MOST_SLICES = 7;

interface Slice {
  name: string;
  value: number;
}

export const drawPie: Draw = (widget, result, colours) => {
  const along = axis(widget, result);
  const [measure] = measures(widget, result);
  if (!along || !measure) return null;
  const slices = gather(
    along.values.map((value, row) => ({
      name: formatCell(value, along.column),
      value: Math.max(measured(measure.values[row] ?? null) ?? 0, 0),
    })),
  );
  const total = slices.reduce((sum, slice) => sum + slice.value, 0) || 1;
  const figure = (slice: Slice): string => withUnit(formatNumber(slice.value), widget.unit);

  const config: ChartConfiguration<"doughnut", number[]> = {
    type: "doughnut",
    data: {
      labels: slices.map((slice) => slice.name),
      datasets: [
        {
          data: slices.map((slice) => slice.value),
          backgroundColor: slices.map((_, index) => seriesColour(colours, index)),
          borderColor: colours.surface,
          borderWidth: 2,
          hoverOffset: 4,
        },
      ],
    },
    options: {
      responsive: true,
      maintainAspectRatio: false,
      cutout: "64%",
      animation: motion(),
      layout: { padding: 6 },
      font: font(colours),
      plugins: {
        tooltip: {
          ...tooltip(colours),
          callbacks: {
            label: (item) => {
              const slice = slices[item.dataIndex];
              return slice ? `${figure(slice)} (${formatShare(slice.value / total)})` : "";
            },
          },
        },
      },
    },
  };
  return {
    config: config as ChartConfiguration,
    entries: slices.map((slice, index) => ({
      name: slice.name,
      colour: seriesColour(colours, index),
      detail: formatShare(slice.value / total),
    })),
    isRing: true,
    summary: `Ring chart of ${widget.title}. ${slices.map((slice) => `${slice.name}: ${figure(slice)}`).join(", ")}.`,
  };
};

/** The largest slices first, the rest as one. */
function gather(slices: Slice[]): Slice[] {
  const sorted = [...slices].sort((a, b) => b.value - a.value);
  if (sorted.length <= MOST_SLICES) return sorted;
  const rest = sorted.slice(MOST_SLICES - 1).reduce((sum, slice) => sum + slice.value, 0);
  return [...sorted.slice(0, MOST_SLICES - 1), { name: "Other", value: rest }];
}
