// Draws the demo's maps out of published shapes: countries of `world-atlas` (Natural Earth) as vector tiles and as pictures,
// airports of `vega-datasets` as vector tiles. `node atlas.mjs <node_modules> <folder>` writes a folder of tiles, `{z}/{x}/{y}`, for each, with
// `metadata.json` beside them.

import { GeoJSONVT } from "@maplibre/geojson-vt";
import { fromGeojsonVt } from "@maplibre/vt-pbf";
import { csvParse } from "d3-dsv";
import { geoEquirectangular } from "d3-geo";
import { geoProject } from "d3-geo-projection";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { feature } from "topojson-client";

const EXTENT = 4096;
const VECTOR_ZOOM = 6;
const PICTURE_ZOOM = 4;
const PICTURE_PIXELS = 256;
const SEA = "#bcd9ea";
/** Land, by country: neighbours seldom share one of so many. */
const LAND = ["#e9d8a6", "#d5e0b5", "#f0c9a0", "#cfe3d4", "#e6c6c0", "#d9d2e9", "#f3e2b8"];

const [, , packages, folder] = process.argv;
if (folder === undefined) throw new Error("usage: atlas.mjs <node_modules> <folder>");

const atlas = JSON.parse(await readFile(join(packages, "world-atlas/countries-50m.json"), "utf8"));
// The shapes lie on a sphere: cut where the map ends, or what crosses 180 degrees would be drawn across all of it.
const degrees = geoEquirectangular().scale(180 / Math.PI).translate([0, 0]).precision(0).reflectY(true);
const countries = geoProject(feature(atlas, atlas.objects.countries), degrees);
const table = await readFile(join(packages, "vega-datasets/data/airports.csv"), "utf8");
const airports = {
  type: "FeatureCollection",
  features: csvParse(table)
    .map(({ iata, name, city, state, latitude, longitude }) => ({
      type: "Feature",
      properties: { iata, name, city, state },
      geometry: { type: "Point", coordinates: [Number(longitude), Number(latitude)] },
    }))
    // A map across the date line has no bounds that viewers would be shown first.
    .filter(({ geometry }) => geometry.coordinates[0] < 0),
};
const WORLD = [-180, -85, 180, 85];
const AMERICA = [-177, 13, -64, 72];

const fields = { iata: "String", name: "String", city: "String", state: "String" };
await vector("countries", WORLD, countries, { name: "String" }, "Natural Earth");
await pictures("countries-drawn", WORLD, countries, "Natural Earth");
await vector("airports", AMERICA, airports, fields, "Bureau of Transportation Statistics");

/** Vector tiles of one layer. */
async function vector(name, bounds, shapes, fields, attribution) {
  const index = new GeoJSONVT(shapes, { maxZoom: VECTOR_ZOOM, indexMaxZoom: VECTOR_ZOOM, indexMaxPoints: 0, extent: EXTENT });
  const layers = [{ id: name, fields, minzoom: 0, maxzoom: VECTOR_ZOOM }];
  await describe(name, { name, attribution, format: "mvt", maxzoom: VECTOR_ZOOM, bounds, vector_layers: layers });
  for (const [z, x, y] of places(VECTOR_ZOOM)) {
    const tile = index.getTile(z, x, y);
    if (tile?.features.length) await write(name, z, x, y, fromGeojsonVt({ [name]: tile }, { version: 2, extent: EXTENT }));
  }
}

/** Pictures of the same. */
async function pictures(name, bounds, shapes, attribution) {
  const index = new GeoJSONVT(shapes, { maxZoom: PICTURE_ZOOM, indexMaxZoom: PICTURE_ZOOM, indexMaxPoints: 0, extent: EXTENT });
  await describe(name, { name, attribution, format: "png", maxzoom: PICTURE_ZOOM, bounds });
  for (const [z, x, y] of places(PICTURE_ZOOM)) {
    const shapes = (index.getTile(z, x, y)?.features ?? []).map(({ geometry, tags }) => {
      const path = geometry.map((ring) => `M${ring.map((point) => point.join(" ")).join("L")}Z`).join("");
      return `<path d="${path}" fill="${LAND[code(tags.name) % LAND.length]}"/>`;
    });
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${PICTURE_PIXELS}" height="${PICTURE_PIXELS}"
      viewBox="0 0 ${EXTENT} ${EXTENT}"><rect width="100%" height="100%" fill="${SEA}"/>
      <g stroke="#7d8c93" stroke-width="10" fill-rule="evenodd">${shapes.join("")}</g></svg>`;
    await write(name, z, x, y, await sharp(Buffer.from(svg)).png({ palette: true }).toBuffer());
  }
}

function code(name) {
  return [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 7);
}

function* places(zoom) {
  for (let z = 0; z <= zoom; z++) {
    for (let x = 0; x < 2 ** z; x++) {
      for (let y = 0; y < 2 ** z; y++) yield [z, x, y];
    }
  }
}

async function describe(name, metadata) {
  await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, name, "metadata.json"), JSON.stringify(metadata));
}

async function write(name, z, x, y, tile) {
  await mkdir(join(folder, name, `${z}`, `${x}`), { recursive: true });
  await writeFile(join(folder, name, `${z}`, `${x}`, `${y}`), tile);
}
