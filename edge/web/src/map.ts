/**
 * The page of a map: shows what is chosen, and goes on for as long as it is open. Start reading here. Only the page of a map loads
 * this file, which brings the drawing library.
 */

import { ApiError, tokenFrom } from "./api";
import { h, region } from "./dom";
import { leave } from "./leave";
import { MapSource, type TileJson } from "./map/source";
import { MapView } from "./map/view";
import { inWords, Notice } from "./notice";

/** A page that was loaded so long ago may ask for itself again: the server then asks for the password, or says that the link is dead. */
const SETTLED_MS = 10_000;

const choice = region("choice") as HTMLFormElement;
const main = region("main");
const notice = new Notice(region("notice"));
const source = new MapSource(tokenFrom(location.pathname), fail);
const view = new MapView(region("map"), source, {
  ready: () => {
    if (main.dataset["state"] === "loading") main.dataset["state"] = "ready";
  },
  trouble,
});
/** Grows with each choice: an answer to an earlier one is passed over. */
let chosen = 0;

choice.addEventListener("change", () => void show());
choice.addEventListener("submit", (event) => event.preventDefault());
for (const event of ["visibilitychange", "online", "pageshow"]) addEventListener(event, () => void wake(), true);
void show();

function picked(): { item: string | undefined; profile: string | null } {
  const data = new FormData(choice);
  const item = data.get("item")?.toString() ?? main.dataset["item"];
  for (const field of choice.querySelectorAll<HTMLElement>("[data-item]")) field.hidden = field.dataset["item"] !== item;
  return { item, profile: data.get(`profile-${item}`)?.toString() ?? null };
}

async function show(): Promise<void> {
  const { item, profile } = picked();
  if (item === undefined) return;
  chosen += 1;
  const mine = chosen;
  main.dataset["state"] = "loading";
  try {
    const tilejson = await source.choose(item, profile);
    if (mine !== chosen) return;
    notice.clear();
    describe(tilejson);
    view.show(tilejson);
  } catch (cause) {
    if (mine === chosen) fail(cause);
  }
}

function describe({ name, profile, archive }: TileJson): void {
  region("live").textContent = `${name}, ${profile}`;
  const taken = archive && h("a", { class: "button", href: archive.url }, `Download (${megabytes(archive.bytes)})`);
  region("take").replaceChildren(...(taken ? [taken] : []));
}

function megabytes(bytes: number): string {
  const format = { style: "unit", unit: "megabyte", maximumFractionDigits: bytes < 1e7 ? 1 : 0 } as const;
  return new Intl.NumberFormat(undefined, format).format(bytes / 1e6);
}

/** A tab that wakes may hold a ticket that is over, and places that failed. */
async function wake(): Promise<void> {
  if (document.visibilityState !== "visible" || !source.isOver()) return;
  await source.renew();
  view.again();
}

/** Some tiles could not be had. */
function trouble(status: number): void {
  main.dataset["state"] = "error";
  if (status === 429) return notice.say("This map was looked at very often today. Try again tomorrow.");
  notice.show(new ApiError("Some of the map can’t be loaded right now.", status, "", null, null), () => {
    main.dataset["state"] = "loading";
    view.again();
  });
}

function fail(cause: unknown): void {
  const error = inWords(cause);
  if (error.status !== 404) {
    main.dataset["state"] = "error";
    return notice.show(error, () => void show());
  }
  if (performance.now() > SETTLED_MS) location.reload();
  else leave();
}
