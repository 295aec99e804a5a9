/** The line under the figures: how fresh they are, and how long the link lasts. */

import type { Executed } from "./api";
import { h } from "./dom";

const MINUTE_S = 60;
const HOUR_S = 3600;

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const calendar = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

export function freshness(executed: Executed): HTMLElement[] {
  const { cache, generated_at: at } = executed;
  const made = new Date(at);
  const isToday = made.toDateString() === new Date().toDateString();
  const time = h(
    "time",
    { datetime: at, title: calendar.format(made) },
    (isToday ? clock : calendar).format(made),
  );
  const parts = [h("span", {}, "Updated ", time)];
  if (cache?.stale)
    parts.push(h("span", { class: "stale" }, "The source can’t be reached; these are earlier figures"));
  else if (cache?.hit) parts.push(h("span", {}, `From cache, ${duration(cache.age)} old`));
  return parts;
}

/** How long it lasts; nothing when that has no end. */
export function expiry(expiresAt: string | null, words = "This link works until"): HTMLElement[] {
  if (expiresAt === null) return [];
  return [
    h(
      "span",
      {},
      `${words} `,
      h("time", { datetime: expiresAt }, calendar.format(new Date(expiresAt))),
    ),
  ];
}

function duration(seconds: number): string {
  if (seconds < MINUTE_S) return `${Math.round(seconds)} s`;
  return seconds < HOUR_S ? `${Math.round(seconds / MINUTE_S)} min` : `${Math.round(seconds / HOUR_S)} h`;
}
