/** The map itself: MapLibre, drawn by its worker, which is a file of ours. */

import {
  addProtocol,
  AttributionControl,
  Map as Drawn,
  NavigationControl,
  Popup,
  ScaleControl,
  setWorkerUrl,
} from "maplibre-gl";
import { details } from "./details";
import { type MapSource, SCHEME, type TileJson } from "./source";
import { SOURCE, styled } from "./style";

/** Closer than the archive goes, its last tiles are drawn larger. */
const MAX_ZOOM = 22;
/** Where web maps end. */
const MAX_LATITUDE = 80;

export interface Events {
  /** All that can be seen is drawn. */
  ready(): void;
  /** A tile was refused with this status; 0 when there was no answer. */
  trouble(status: number): void;
}

interface Place {
  z: number;
  x: number;
  y: number;
}

/** What the library tells of a tile that it could not load. */
interface Failure {
  error: { status?: number };
  tile?: { tileID: { canonical: Place } };
}

export class MapView {
  readonly #place: HTMLElement;
  readonly #events: Events;
  #drawn: Drawn | undefined;
  #shown: TileJson | undefined;
  #bounds = "";
  /** Places whose tiles could not be had. */
  #failed: Place[] = [];

  constructor(place: HTMLElement, source: MapSource, events: Events) {
    this.#place = place;
    this.#events = events;
    // Its own requests know of no tickets, and say nothing of what is not found.
    addProtocol(SCHEME, async ({ url }, { signal }) => ({ data: await source.tile(url, signal) }));
    setWorkerUrl(new URL("/assets/map-worker.js", location.origin).href);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#shown && this.show(this.#shown));
  }

  show(tilejson: TileJson): void {
    this.#shown = tilejson;
    this.#failed = [];
    const [west, south, east, north] = tilejson.bounds;
    const seen = [west, Math.max(south, -MAX_LATITUDE), east, Math.min(north, MAX_LATITUDE)] as const;
    const style = styled(tilejson);
    if (!this.#drawn) {
      this.#drawn = this.#draw(style, [...seen]);
    } else {
      // Another appearance of the same place leaves the reader where they are.
      this.#drawn.setStyle(style, { diff: false });
      if (this.#bounds !== seen.join()) this.#drawn.fitBounds([...seen], { animate: false });
    }
    this.#bounds = seen.join();
  }

  /** Asks once more for what failed. */
  again(): void {
    const failed = this.#failed.splice(0);
    if (this.#drawn?.getSource(SOURCE)) this.#drawn.refreshTiles(SOURCE, failed);
    // Nothing may be left of it to be drawn.
    this.#drawn?.triggerRepaint();
  }

  #draw(style: ReturnType<typeof styled>, bounds: [number, number, number, number]): Drawn {
    const drawn = new Drawn({
      container: this.#place,
      style,
      bounds,
      maxZoom: MAX_ZOOM,
      attributionControl: false,
    });
    drawn.addControl(new NavigationControl({ showCompass: false }));
    drawn.addControl(new ScaleControl());
    drawn.addControl(new AttributionControl({ compact: false }));
    drawn.on("idle", () => {
      if (drawn.isSourceLoaded(SOURCE)) this.#events.ready();
    });
    drawn.on("error", (event) => {
      const { error, tile } = event as unknown as Failure;
      if (tile) this.#failed.push(tile.tileID.canonical);
      this.#events.trouble(error.status ?? 0);
    });
    drawn.on("click", ({ point, lngLat }) => {
      const [feature] = drawn.queryRenderedFeatures(point);
      const known = feature && details(feature.properties);
      if (known) new Popup({ closeButton: true, maxWidth: "20rem" }).setLngLat(lngLat).setDOMContent(known).addTo(drawn);
    });
    return drawn;
  }
}
