/**
 * Values as people read them, in the reader's own locale. Times are shown in
 * UTC throughout: that is how the source grouped them, and two readers of one
 * link must see the same figures.
 */

import type { Cell, Column, ColumnType } from "./api";

/** Shown where there is no value. */
export const NOTHING = "–";

const IDENTIFIER = /(^|_)(year|id|code|zip|postcode)s?(_|$)/i;
const PREFIXED = new Set(["$", "€", "£", "¥"]);

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const hundredths = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });
const digits = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const short = new Intl.NumberFormat(undefined, { notation: "compact", maximumSignificantDigits: 4 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

const dates: Record<string, Intl.DateTimeFormat> = {};

function dateFormat(fields: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(fields);
  dates[key] ??= new Intl.DateTimeFormat(undefined, { ...fields, timeZone: "UTC" });
  return dates[key];
}

/** A date by named fields, in UTC. */
export function formatDate(epoch: number, fields: Intl.DateTimeFormatOptions): string {
  return dateFormat(fields).format(epoch);
}

/** A measured number with as many digits as are worth reading. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000 || Number.isInteger(value)) return whole.format(value);
  if (size >= 100) return tenths.format(value);
  return size >= 1 ? hundredths.format(value) : digits.format(value);
}

/** For headline figures: one decimal is enough there, and 12,345,678 becomes 12.35M. */
export function formatFigure(value: number): string {
  const size = Math.abs(value);
  if (size >= 1_000_000) return short.format(value);
  return size >= 1 || size === 0 ? tenths.format(value) : digits.format(value);
}

/** For axes: 20,000 as 20K. */
export function formatTick(value: number): string {
  return Math.abs(value) >= 10_000 ? short.format(value) : formatFigure(value);
}

/** `ratio` 0.25 as "25%". */
export function formatShare(ratio: number): string {
  return percent.format(ratio);
}

/** Puts a unit where its kind stands: `$12`, `12%`, `12 °C`. */
export function withUnit(text: string, unit: string | null): string {
  if (!unit) return text;
  if (isPrefix(unit)) return `${unit}${text}`;
  return unit === "%" ? `${text}%` : `${text}\u202f${unit}`;
}

/** Whether a unit stands before its number. */
export function isPrefix(unit: string): boolean {
  return PREFIXED.has(unit);
}

/**
 * How the cells of one column read. Measured numbers all get the same number
 * of decimals, so that their points stand below one another.
 */
export function columnFormat(column: Column, values: Cell[]): (value: Cell) => string {
  if (column.type !== "number") return (value) => formatCell(value, column);
  const known = values.filter((value) => typeof value === "number");
  const largest = known.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const most = largest >= 10_000 ? 0 : largest >= 100 ? 1 : largest >= 1 ? 2 : 4;
  const decimals = known.reduce((need, value) => Math.max(need, decimalsOf(value, most)), 0);
  const fixed = new Intl.NumberFormat(undefined, {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return (value) => (typeof value === "number" ? fixed.format(value) : formatCell(value, column));
}

/** Decimals a value really has, up to a limit. */
function decimalsOf(value: number, most: number): number {
  return Number(value.toFixed(most)).toString().split(".")[1]?.length ?? 0;
}

/** A cell of a table. */
export function formatCell(value: Cell, column: Column): string {
  if (value === null) return NOTHING;
  switch (column.type) {
    case "integer":
    case "number":
      if (typeof value !== "number") return String(value);
      return IDENTIFIER.test(column.name) ? String(value) : formatNumber(value);
    case "boolean":
      return value === true || value === 1 ? "Yes" : "No";
    case "date":
    case "timestamp":
      return formatMoment(String(value), column.type);
    default:
      return String(value);
  }
}

/** The instant a date or timestamp cell names; NaN when it names none. A time without a zone is UTC. */
export function parseMoment(text: string): number {
  const iso = text.trim().replace(" ", "T");
  return Date.parse(/T.*(Z|[+-]\d{2}:?\d{2})$/.test(iso) || !iso.includes("T") ? iso : `${iso}Z`);
}

function formatMoment(text: string, type: ColumnType): string {
  const epoch = parseMoment(text);
  if (Number.isNaN(epoch)) return text;
  return formatDate(
    epoch,
    type === "date" ? { dateStyle: "medium" } : { dateStyle: "medium", timeStyle: "short" },
  );
}

/** A timestamp with its seconds, and with all that it has of their fraction. */
export function formatMomentWhole(text: string): string {
  const epoch = parseMoment(text);
  if (Number.isNaN(epoch)) return text;
  const fraction = /\.\d+/.exec(text)?.[0].slice(1);
  const parts = dateFormat({ dateStyle: "medium", timeStyle: "medium" }).formatToParts(epoch);
  const point = tenths.formatToParts(0.1).find((part) => part.type === "decimal")?.value ?? ".";
  return parts
    .map(({ type, value }) => (type === "second" && fraction ? `${value}${point}${fraction}` : value))
    .join("");
}

/** `temp_max` as "Temp max". */
export function columnTitle(column: Column): string {
  const words = column.name.replace(/_+/g, " ").trim();
  const title = words.charAt(0).toUpperCase() + words.slice(1);
  return column.type === "timestamp" ? `${title} (UTC)` : title;
}
