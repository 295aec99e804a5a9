/**
 * Where a map's tiles are: the map's TileJSON, whose addresses hold a ticket that ends. It is asked for again before that, by the
 * grant or the renewal that the page's cookies hold, so that a map that was left open goes on.
 */

import { ApiError, call, post, read } from "../api";

export interface TileJson {
  name: string;
  profile: string;
  /** Addresses that {@link MapSource.tile} knows, whatever the ticket of the moment. */
  tiles: string[];
  minzoom: number;
  maxzoom: number;
  /** West, south, east, north, in degrees. */
  bounds: [number, number, number, number];
  attribution?: string;
  /** Of vector tiles alone. */
  vector_layers?: { id: string }[];
  /** Seconds. */
  ticket_expires_in: number;
  /** Where links that permit it give the archive. */
  archive?: { url: string; bytes: number };
}

/** Addresses of tiles, as the drawing library has them, begin so. */
export const SCHEME = "share";
/** As the server has them: up to the ticket. */
const BASE = /^.*\/tiles\/[^/]+\//;
/** A ticket is renewed so long before it ends. */
const AHEAD_S = 180;
/** Before a renewal that failed is tried again. */
const PAUSE_MS = 30_000;

export class MapSource {
  readonly #token: string;
  readonly #refused: (cause: unknown) => void;
  #asked: { item_id: string; profile: string | null } | undefined;
  #base = "";
  #renewAt = Number.POSITIVE_INFINITY;
  #renewing: Promise<void> | undefined;
  #timer: number | undefined;

  /** `refused` is told when the link gives no more tickets. */
  constructor(token: string, refused: (cause: unknown) => void) {
    this.#token = token;
    this.#refused = refused;
  }

  /** Goes on with another map. */
  async choose(item: string, profile: string | null): Promise<TileJson> {
    this.#asked = { item_id: item, profile };
    return this.#ask();
  }

  /** A tile; empty where the map is. One whose ticket is over is asked for with another. */
  async tile(address: string, signal: AbortSignal): Promise<ArrayBuffer> {
    const place = address.slice(`${SCHEME}://`.length);
    const base = this.#base;
    try {
      return await (await call(base + place, { signal })).arrayBuffer();
    } catch (cause) {
      if (!(cause instanceof ApiError) || cause.status !== 404) throw cause;
      // Whoever waited for the same ticket has it already.
      if (base === this.#base) await this.renew();
      return await (await call(this.#base + place, { signal })).arrayBuffer();
    }
  }

  /** Is it time for another ticket? Timers stand still while a tab sleeps. */
  isOver(): boolean {
    return Date.now() >= this.#renewAt;
  }

  renew(): Promise<void> {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #renew(): Promise<void> {
    try {
      await this.#ask();
    } catch (cause) {
      if (cause instanceof ApiError && cause.status === 404) this.#refused(cause);
      // The map stands as it is, and its source is asked again.
      else this.#later(PAUSE_MS);
    }
  }

  async #ask(): Promise<TileJson> {
    const asked = this.#asked;
    const tilejson = await read<TileJson>("/v1/share/tilejson", post({ token: this.#token, ...asked }));
    // Of a choice that was left meanwhile nothing is kept.
    if (asked === this.#asked) {
      this.#base = BASE.exec(tilejson.tiles[0] ?? "")?.[0] ?? "";
      this.#later(Math.max(tilejson.ticket_expires_in - AHEAD_S, AHEAD_S) * 1000);
    }
    return { ...tilejson, tiles: tilejson.tiles.map((tiles) => tiles.replace(BASE, `${SCHEME}://`)) };
  }

  #later(pause: number): void {
    this.#renewAt = Date.now() + pause;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.renew(), pause);
  }
}
