/** How a map looks: pictures as they are; of vector layers, whose meaning only their makers know, surfaces, lines and points. */

import type { LayerSpecification, StyleSpecification } from "maplibre-gl";
import { h } from "../dom";
import type { TileJson } from "./source";

/** The one source of a style. */
export const SOURCE = "tiles";

const LIGHT = { sea: "#dcebf5", line: "#7b92a0", lands: ["#f4f1e8", "#e3edda", "#f3e4d3", "#e8e3f0"], point: "#1b62ab" };
const DARK = { sea: "#10202e", line: "#6b8799", lands: ["#2c4150", "#2f4a44", "#4b4236", "#3f3b52"], point: "#7db8f2" };

export function styled({ vector_layers, minzoom, maxzoom, bounds, attribution, tiles }: TileJson): StyleSpecification {
  const colors = matchMedia("(prefers-color-scheme: dark)").matches ? DARK : LIGHT;
  // Whoever registers an archive writes its attribution: it is shown as text, and never as markup.
  const words = attribution === undefined ? {} : { attribution: h("span", {}, attribution).outerHTML };
  const about = { tiles, minzoom, maxzoom, bounds, ...words };
  const back: LayerSpecification = { id: "back", type: "background", paint: { "background-color": colors.sea } };
  if (vector_layers === undefined) {
    return {
      version: 8,
      sources: { [SOURCE]: { type: "raster", tileSize: 256, ...about } },
      layers: [back, { id: "raster", type: "raster", source: SOURCE }],
    };
  }
  const of = (shape: (id: string, at: number) => LayerSpecification) => vector_layers.map(({ id }, at) => shape(id, at));
  return {
    version: 8,
    sources: { [SOURCE]: { type: "vector", ...about } },
    // Surfaces of all layers below their lines, and points above both.
    layers: [
      back,
      ...of((id, at) => ({
        ...{ id: `${id}-fill`, source: SOURCE, "source-layer": id },
        type: "fill",
        filter: ["==", ["geometry-type"], "Polygon"],
        paint: { "fill-color": colors.lands[at % colors.lands.length] ?? colors.sea },
      })),
      ...of((id) => ({
        ...{ id: `${id}-line`, source: SOURCE, "source-layer": id },
        type: "line",
        filter: ["!=", ["geometry-type"], "Point"],
        paint: { "line-color": colors.line },
      })),
      ...of((id) => ({
        ...{ id: `${id}-point`, source: SOURCE, "source-layer": id },
        type: "circle",
        filter: ["==", ["geometry-type"], "Point"],
        paint: {
          "circle-color": colors.point,
          "circle-radius": ["interpolate", ["linear"], ["zoom"], 2, 2, 8, 5],
          "circle-stroke-color": colors.sea,
          "circle-stroke-width": 0.5,
        },
      })),
    ],
  };
}
