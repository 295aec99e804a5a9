/**
 * Time along an axis: recognising it, and ticks that fall on the first of
 * years, months and days instead of on round numbers of milliseconds. All in
 * UTC, see `format.ts`.
 */

import type { Series } from "./columns";
import { formatDate, parseMoment } from "../format";

/** How finely the source speaks: "2012", "2012-03", "2012-03-14" or with a time. */
export type Grain = "year" | "month" | "day" | "time";

export interface Timeline {
  /** Milliseconds, in row order. */
  epochs: number[];
  grain: Grain;
}

export interface Tick {
  value: number;
  /** Several lines when it is a list. */
  label: string | string[];
}

/** From year to time, each part optional; other four-digit words are hardly years. */
const WRITTEN = /^(?:1[5-9]|2[01])\d{2}(-\d{2}(-\d{2}([T ]\d{2}:\d{2}.*)?)?)?$/;
const GRAINS: Record<number, Grain> = { 4: "year", 7: "month", 10: "day" };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Mean lengths: only to choose a step, never to place a tick. */
const MONTH_MS = 30.44 * DAY_MS;
const YEAR_MS = 365.25 * DAY_MS;

interface Step {
  unit: "year" | "month" | "day" | "hour" | "minute";
  count: number;
  /** About how long it is, in milliseconds. */
  length: number;
}

const STEPS: Step[] = [
  ...[1, 5, 15, 30].map((count) => step("minute", count, HOUR_MS / 60)),
  ...[1, 3, 6, 12].map((count) => step("hour", count, HOUR_MS)),
  ...[1, 2, 7, 14].map((count) => step("day", count, DAY_MS)),
  ...[1, 2, 3, 6].map((count) => step("month", count, MONTH_MS)),
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((count) => step("year", count, YEAR_MS)),
];

function step(unit: Step["unit"], count: number, length: number): Step {
  return { unit, count, length: count * length };
}

/** Reads a column as time; `null` when any of its cells is something else. */
export function timeline(series: Series): Timeline | null {
  const { type } = series.column;
  if (type !== "text" && type !== "date" && type !== "timestamp") return null;
  let longest = 0;
  const epochs: number[] = [];
  for (const value of series.values) {
    if (typeof value !== "string" || !WRITTEN.test(value)) return null;
    longest = Math.max(longest, value.length);
    epochs.push(parseMoment(value));
  }
  if (epochs.length < 2 || epochs.some(Number.isNaN)) return null;
  return { epochs, grain: GRAINS[longest] ?? "time" };
}

/** At most about `most` ticks between two instants, none finer than the grain. */
export function ticks(min: number, max: number, most: number, grain: Grain): Tick[] {
  const finest = { year: YEAR_MS, month: MONTH_MS, day: DAY_MS, time: 0 }[grain];
  const wanted = (max - min) / Math.max(most, 1);
  const chosen =
    STEPS.find((candidate) => candidate.length >= wanted && candidate.length >= finest * 0.9) ?? STEPS.at(-1);
  if (!chosen) return [];
  const found: Tick[] = [];
  let at = floor(min, chosen);
  // One more than can be wanted: a guard against a clock that does not advance.
  for (let count = 0; at <= max && count <= most + 2; count += 1) {
    if (at >= min) found.push({ value: at, label: tickLabel(at, chosen, found.length === 0) });
    at = next(at, chosen);
  }
  return found;
}

/** An instant as finely as the source speaks. */
export function formatInstant(epoch: number, grain: Grain): string {
  switch (grain) {
    case "year":
      return formatDate(epoch, { year: "numeric" });
    case "month":
      return formatDate(epoch, { year: "numeric", month: "short" });
    case "day":
      return formatDate(epoch, { dateStyle: "medium" });
    case "time":
      return formatDate(epoch, { dateStyle: "medium", timeStyle: "short" });
  }
}

function floor(epoch: number, { unit, count, length }: Step): number {
  const date = new Date(epoch);
  const down = (value: number): number => Math.floor(value / count) * count;
  switch (unit) {
    case "year":
      return Date.UTC(down(date.getUTCFullYear()), 0);
    case "month":
      return Date.UTC(date.getUTCFullYear(), down(date.getUTCMonth()));
    case "day":
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), down(date.getUTCDate() - 1) + 1);
    default:
      return Math.floor(epoch / length) * length;
  }
}

function next(epoch: number, { unit, count, length }: Step): number {
  const date = new Date(epoch);
  if (unit === "year") return Date.UTC(date.getUTCFullYear() + count, 0);
  if (unit === "month") return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count);
  return epoch + length;
}

/** The year (or the day) stands under a tick only where it begins, and under the first. */
function tickLabel(epoch: number, { unit }: Step, isFirst: boolean): string | string[] {
  const date = new Date(epoch);
  switch (unit) {
    case "year":
      return formatDate(epoch, { year: "numeric" });
    case "month": {
      const month = formatDate(epoch, { month: "short" });
      return isFirst || date.getUTCMonth() === 0 ? [month, formatDate(epoch, { year: "numeric" })] : month;
    }
    case "day":
      return formatDate(epoch, { day: "numeric", month: "short" });
    default: {
      const time = formatDate(epoch, { hour: "2-digit", minute: "2-digit" });
      return isFirst || epoch % DAY_MS === 0
        ? [time, formatDate(epoch, { day: "numeric", month: "short" })]
        : time;
    }
  }
}
