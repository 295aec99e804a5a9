/** The dashboards that are shared with somebody, by the contexts that share them. */

import { h } from "../dom";
import { expiry } from "../footer";
import type { Listed, Listing } from "./api";
import { hashOf } from "./place";

/** The list, or words where there is nothing. */
export function list({ total, records }: Listing): HTMLElement[] {
  if (records.length === 0) return [empty()];
  const groups = [...grouped(records).values()].map(group);
  const more = total - records.length;
  return more > 0 ? [...groups, h("p", { class: "portal-more" }, `${more} more can’t be listed here.`)] : groups;
}

function empty(): HTMLElement {
  return h(
    "div",
    { class: "portal-empty" },
    h("p", {}, "Nothing is shared with you right now."),
    h("p", {}, "What is shared with you later will stand here."),
  );
}

function grouped(records: Listed[]): Map<string, Listed[]> {
  const groups = new Map<string, Listed[]>();
  for (const record of records) {
    const group = groups.get(record.context.id);
    if (group) group.push(record);
    else groups.set(record.context.id, [record]);
  }
  return groups;
}

function group(records: Listed[]): HTMLElement {
  const { id, name } = (records[0] as Listed).context;
  return h(
    "section",
    { class: "portal-group", "aria-labelledby": `context-${id}`, "data-context": id },
    h("h2", { id: `context-${id}` }, name),
    h("ul", { class: "portal-cards" }, ...records.map(card)),
  );
}

function card({ context, slug, title, description, share }: Listed): HTMLElement {
  return h(
    "li",
    { class: "portal-card" },
    h("h3", {}, h("a", { href: hashOf({ contextId: context.id, slug }) }, title)),
    description ? h("p", { class: "portal-description" }, description) : null,
    share.expires_at === null ? null : h("p", { class: "portal-until" }, ...expiry(share.expires_at, "Until")),
  );
}
