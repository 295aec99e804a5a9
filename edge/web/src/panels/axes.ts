/** What line, area and bar charts share: quiet axes, a tooltip and a guide line. */

import type { ChartOptions, Plugin } from "chart.js";

import { columnTitle, formatCell, formatNumber, formatTick, withUnit } from "../format";
import type { Series } from "./columns";
import type { Entry } from "./legend";
import { prefersStillness, seriesColour, type Theme } from "./theme";
import { formatInstant, type Timeline } from "./time";

const FONT_SIZE = 12;

export function font(colours: Theme, weight: "normal" | 600 = "normal") {
  return { family: colours.font, size: FONT_SIZE, weight };
}

export function tooltip(colours: Theme) {
  return {
    backgroundColor: colours.surface,
    borderColor: colours.edge,
    borderWidth: 1,
    titleColor: colours.text,
    bodyColor: colours.text,
    titleFont: font(colours, 600),
    bodyFont: font(colours),
    padding: 12,
    cornerRadius: 10,
    caretSize: 0,
    caretPadding: 10,
    boxWidth: 10,
    boxHeight: 10,
    boxPadding: 6,
    bodySpacing: 5,
    usePointStyle: true,
  };
}

export function motion(): false | { duration: number } {
  return prefersStillness() ? false : { duration: 350 };
}

/** What each place along the axis is called. */
export function axisNames(along: Series, time: Timeline | null): string[] {
  return along.values.map((value, row) =>
    time ? formatInstant(time.epochs[row] ?? 0, time.grain) : formatCell(value, along.column),
  );
}

/** Entries of the legend; one series is explained by the title. */
export function seriesEntries(all: Series[], colours: Theme): Entry[] {
  if (all.length < 2) return [];
  return all.map((series, index) => ({
    name: columnTitle(series.column),
    colour: seriesColour(colours, index),
  }));
}

/** How a measured axis is drawn. */
export interface Measure {
  unit: string | null;
  fromZero?: boolean;
  /** Bars lie, so the measure runs from left to right. */
  isHorizontal?: boolean;
}

/** Options of a chart with a measured axis; `along` describes the other one. */
export function cartesian(
  colours: Theme,
  { unit, fromZero = false, isHorizontal = false }: Measure,
  along: NonNullable<ChartOptions["scales"]>[string],
): ChartOptions {
  const measure = {
    type: "linear" as const,
    beginAtZero: fromZero,
    border: { display: false },
    grid: { color: colours.grid, drawTicks: false },
    ticks: {
      color: colours.muted,
      font: font(colours),
      padding: 8,
      maxTicksLimit: 6,
      callback: (value: string | number) => formatTick(Number(value)),
    },
  };
  return {
    responsive: true,
    maintainAspectRatio: false,
    indexAxis: isHorizontal ? "y" : "x",
    animation: motion(),
    layout: { padding: { top: 6, right: 6 } },
    interaction: { mode: "index", axis: isHorizontal ? "y" : "x", intersect: false },
    plugins: {
      tooltip: {
        ...tooltip(colours),
        callbacks: {
          // On a time axis chart.js would show the bare number.
          title: ([item]) => String(item?.chart.data.labels?.[item.dataIndex] ?? ""),
          label: (item) => {
            const value = isHorizontal ? item.parsed.x : item.parsed.y;
            return `${item.dataset.label ?? ""}: ${value === null ? "no data" : withUnit(formatNumber(value), unit)}`;
          },
        },
      },
    },
    scales: isHorizontal ? { x: measure, y: along } : { x: along, y: measure },
  };
}

/** A hairline through the point that the tooltip speaks of. */
export function guide(colours: Theme): Plugin {
  return {
    id: "guide",
    beforeDatasetsDraw: (chart) => {
      const x = chart.tooltip?.getActiveElements()[0]?.element.x;
      if (x === undefined || !chart.tooltip?.opacity) return;
      const { ctx, chartArea } = chart;
      ctx.save();
      ctx.strokeStyle = colours.muted;
      ctx.globalAlpha = 0.5;
      ctx.beginPath();
      ctx.moveTo(x, chartArea.top);
      ctx.lineTo(x, chartArea.bottom);
      ctx.stroke();
      ctx.restore();
    },
  };
}
