/**
 * The page of a map. It asks for the map's TileJSON with the grant that its cookie holds, draws the map, and asks again
 * before the ticket for tiles ends and whenever its tab wakes, so that a map that was left open goes on. Only the page of
 * a map loads this file, which brings the drawing library.
 */

import { AttributionControl, Map as Drawn, NavigationControl, setWorkerUrl } from "maplibre-gl";
import type { LayerSpecification, StyleSpecification } from "maplibre-gl";
import { tokenFrom } from "./api";
import { h, region } from "./dom";

interface TileJson {
  name: string;
  profile: string;
  format: string;
  tiles: string[];
  minzoom: number;
  maxzoom: number;
  bounds: [number, number, number, number];
  attribution?: string;
  vector_layers?: { id: string }[];
  ticket_expires_in: number;
}

/** Stands in the addresses that the library knows, in the place of the ticket, which changes. */
const CURRENT = "current";
/** A ticket is renewed so long before it ends. */
const AHEAD_S = 180;

const token = tokenFrom(location.pathname);
const choice = region("choice") as HTMLFormElement;
const main = region("main");
const notice = region("notice");

let map: Drawn | undefined;
let ticket = "";
let renewAt = 0;
let timer: number | undefined;
/** Grows with each choice: an answer to an earlier one is passed over. */
let chosen = 0;

setWorkerUrl(new URL("/assets/map-worker.js", location.origin).href);
choice.addEventListener("change", () => void show());
document.addEventListener("visibilitychange", () => void wake());
addEventListener("online", () => void wake());
void show();

function picked(): { item: string | null; profile: string | null } {
  const groups = [...choice.querySelectorAll<HTMLFieldSetElement>(".map-profiles")];
  const data = new FormData(choice);
  const item = data.get("item")?.toString() ?? groups[0]?.dataset["item"] ?? null;
  for (const group of groups) {
    group.hidden = group.dataset["item"] !== item || group.querySelectorAll("input").length < 2;
  }
  return { item, profile: data.get(`profile-${item}`)?.toString() ?? null };
}

async function ask(): Promise<TileJson> {
  const { item, profile } = picked();
  const answer = await fetch("/v1/share/tilejson", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token, item_id: item, profile }),
  });
  // The link is dead, or asks for its password again: the server says so best.
  if (answer.status === 404) {
    location.reload();
    return new Promise(() => {});
  }
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return (await answer.json()) as TileJson;
}

/** Takes the ticket out of an answer; the addresses of its tiles without it. */
function take(tilejson: TileJson): string[] {
  ticket = /\/tiles\/([^/]+)\//.exec(tilejson.tiles[0] ?? "")?.[1] ?? "";
  const seconds = Math.max(tilejson.ticket_expires_in - AHEAD_S, 10);
  renewAt = Date.now() + seconds * 1000;
  clearTimeout(timer);
  timer = setTimeout(() => void renew(), seconds * 1000);
  return tilejson.tiles.map((tiles) => tiles.replace(`/tiles/${ticket}/`, `/tiles/${CURRENT}/`));
}

async function show(): Promise<void> {
  if (picked().item === null) return;
  chosen += 1;
  const mine = chosen;
  try {
    const tilejson = await ask();
    if (mine !== chosen) return;
    draw(tilejson, take(tilejson));
    notice.hidden = true;
  } catch {
    fail();
  }
}

async function renew(): Promise<void> {
  try {
    take(await ask());
  } catch {
    // Asked again when the tab wakes or the network is back; the map stands as it is.
    timer = setTimeout(() => void renew(), 30_000);
  }
}

/** Timers stand still while a tab sleeps: what is over is renewed at once, and what failed is loaded again. */
async function wake(): Promise<void> {
  if (document.visibilityState !== "visible" || Date.now() < renewAt) return;
  await renew();
  map?.refreshTiles("tiles");
}

function draw(tilejson: TileJson, tiles: string[]): void {
  const style = styled(tilejson, tiles);
  const [west, south, east, north] = tilejson.bounds;
  region("live").textContent = `${tilejson.name}, ${tilejson.profile}`;
  if (map) {
    map.setStyle(style, { diff: false });
  } else {
    map = new Drawn({
      container: "map",
      style,
      bounds: [west, Math.max(south, -80), east, Math.min(north, 80)],
      maxZoom: 22,
      attributionControl: false,
      transformRequest: (url) => ({ url: url.replace(`/tiles/${CURRENT}/`, `/tiles/${ticket}/`) }),
    });
    map.addControl(new NavigationControl({ showCompass: false }));
    map.addControl(new AttributionControl({ compact: false }));
    map.on("idle", () => {
      main.dataset["state"] = "ready";
    });
    map.on("error", ({ error }) => {
      if ((error as { status?: number }).status === 429) say("This map was looked at very often today. Try again tomorrow.");
    });
  }
  main.dataset["state"] = "loading";
}

function styled({ vector_layers, minzoom, maxzoom, bounds, attribution }: TileJson, tiles: string[]): StyleSpecification {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const [sea, land, line] = dark ? ["#10202e", "#3d5663", "#8fb3c7"] : ["#dcebf5", "#f4f1e8", "#5b7486"];
  // Whoever registers an archive writes its attribution: it is shown as text, and never as markup.
  const words = attribution === undefined ? {} : { attribution: h("span", {}, attribution).outerHTML };
  const about = { tiles, minzoom, maxzoom, bounds, ...words };
  const back: LayerSpecification = { id: "back", type: "background", paint: { "background-color": sea } };
  if (vector_layers === undefined) {
    return {
      version: 8,
      sources: { tiles: { type: "raster", tileSize: 256, ...about } },
      layers: [back, { id: "raster", type: "raster", source: "tiles" }],
    };
  }
  const layers = vector_layers.flatMap(({ id }): LayerSpecification[] => {
    const from = { source: "tiles", "source-layer": id };
    return [
      { ...from, id: `${id}-fill`, type: "fill", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": land } },
      { ...from, id: `${id}-line`, type: "line", filter: ["!=", ["geometry-type"], "Point"], paint: { "line-color": line } },
      { ...from, id: `${id}-dot`, type: "circle", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-color": line, "circle-radius": 3 } },
    ];
  });
  return { version: 8, sources: { tiles: { type: "vector", ...about } }, layers: [back, ...layers] };
}

function fail(): void {
  main.dataset["state"] = "error";
  const again = h("button", { class: "button", type: "button" }, "Try again");
  again.addEventListener("click", () => void show());
  say("The map cannot be loaded right now. ", again);
}

function say(...words: (string | HTMLElement)[]): void {
  notice.replaceChildren(...words);
  notice.hidden = false;
}
