/** Lines and areas, along time where the column is time and along its values where not. */

import type { Chart, ChartDataset, ScriptableContext } from "chart.js";

import type { PanelResult, Widget } from "../api";
import { columnTitle } from "../format";
import { axisNames, cartesian, font, guide, seriesEntries } from "./axes";
import type { Draw, Picture } from "./chart";
import { axis, measured, measures, type Series } from "./columns";
import { describeSeries } from "./summary";
import { seriesColour, type Theme } from "./theme";
import { ticks, timeline, type Tick, type Timeline } from "./time";

/** A place on a time axis, or only a height where places are equal. */
type Point = number | null | { x: number; y: number | null };

/** Room one time label needs, in pixels. */
const LABEL_PX = 64;
/** Up to here single points are marked; beyond, they would run together. */
const MARKED_POINTS = 40;

export const drawLine: Draw = (widget, result, colours) => draw(widget, result, colours, false);
export const drawArea: Draw = (widget, result, colours) => draw(widget, result, colours, true);

function draw(widget: Widget, source: PanelResult, colours: Theme, isArea: boolean): Picture | null {
  const result = inTime(widget, source);
  const along = axis(widget, result);
  if (!along) return null;
  const time = timeline(along);
  const names = axisNames(along, time);
  const ys = measures(widget, result);
  const scale = time ? timeScale(time, colours) : categoryScale(colours);
  return {
    config: {
      type: "line",
      data: {
        labels: names,
        datasets: ys.map((series, index) =>
          dataset(series, time, seriesColour(colours, index), isArea),
        ) as ChartDataset[],
      },
      // The area under a line is a quantity, so it is measured from zero.
      options: cartesian(colours, { unit: widget.unit, fromZero: isArea }, scale),
      plugins: [guide(colours)],
    },
    entries: seriesEntries(ys, colours),
    isRing: false,
    summary:
      `${isArea ? "Area" : "Line"} chart of ${widget.title}, ${names.length} points ` +
      `from ${names[0]} to ${names.at(-1)}. ${describeSeries(ys, widget.unit)}`,
  };
}

/** The same rows by time, so that a line never runs backwards; unchanged where there is no time. */
function inTime(widget: Widget, result: PanelResult): PanelResult {
  const along = axis(widget, result);
  const time = along && timeline(along);
  if (!time) return result;
  const timed = result.rows.map((row, index) => ({ row, at: time.epochs[index] ?? 0 }));
  return { ...result, rows: timed.sort((a, b) => a.at - b.at).map(({ row }) => row) };
}

function dataset(
  series: Series,
  time: Timeline | null,
  colour: string,
  isArea: boolean,
): ChartDataset<"line", Point[]> {
  return {
    label: columnTitle(series.column),
    data: series.values.map((value, row) => {
      const y = measured(value);
      return time ? { x: time.epochs[row] ?? 0, y } : y;
    }),
    borderColor: colour,
    backgroundColor: isArea ? (context: ScriptableContext<"line">) => fade(context.chart, colour) : colour,
    fill: isArea ? "origin" : false,
    borderWidth: 2,
    // Strokes and points on the edge of the chart are drawn whole.
    clip: 6,
    borderJoinStyle: "round",
    cubicInterpolationMode: "monotone",
    pointRadius: series.values.length > MARKED_POINTS ? 0 : 2.5,
    pointHoverRadius: 5,
    pointBackgroundColor: colour,
    pointBorderWidth: 0,
  };
}

/** The colour of a line, fading towards the axis. */
function fade(chart: Chart, colour: string): CanvasGradient | string {
  const area = chart.chartArea as typeof chart.chartArea | undefined;
  // Before the first layout there is nothing to fade across.
  if (!area) return "transparent";
  const gradient = chart.ctx.createLinearGradient(0, area.top, 0, area.bottom);
  gradient.addColorStop(0, `${colour}66`);
  gradient.addColorStop(1, `${colour}0d`);
  return gradient;
}

function timeScale(time: Timeline, colours: Theme) {
  const min = Math.min(...time.epochs);
  const max = Math.max(...time.epochs);
  let current: Tick[] = [];
  return {
    type: "linear" as const,
    min,
    max,
    border: { color: colours.grid },
    grid: { display: false },
    ticks: {
      color: colours.muted,
      font: font(colours),
      autoSkip: false,
      maxRotation: 0,
      padding: 6,
      callback: (_value: string | number, index: number) => current[index]?.label ?? "",
    },
    afterBuildTicks: (scale: { width: number; ticks: { value: number }[] }) => {
      current = ticks(min, max, scale.width / LABEL_PX, time.grain);
      scale.ticks = current;
    },
  };
}

function categoryScale(colours: Theme) {
  return {
    type: "category" as const,
    border: { color: colours.grid },
    grid: { display: false },
    ticks: { color: colours.muted, font: font(colours), maxRotation: 0, autoSkipPadding: 16, padding: 6 },
  };
}
