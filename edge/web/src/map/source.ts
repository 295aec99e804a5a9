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

interface Asked {
  item_id: string;
  profile: string | null;
}

export interface Events {
  /** There is another ticket, for the archive as well. */
  renewed(tilejson: TileJson): void;
  /** The link gives no more tickets. */
  refused(cause: unknown): void;
}

export class MapSource {
  readonly #token: string;
  readonly #events: Events;
  /** What is shown, and what was asked for last. */
  #asked: Asked | undefined;
  #last: Asked | undefined;
  #base = "";
  #renewAt = Number.POSITIVE_INFINITY;
  #renewing: Promise<void> | undefined;
  #timer: number | undefined;

  constructor(token: string, events: Events) {
    this.#token = token;
    this.#events = events;
  }

  /** Goes on with another map. */
  choose(item: string, profile: string | null): Promise<TileJson> {
    return this.#ask({ item_id: item, profile });
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
    if (!this.#asked) return;
    try {
      this.#events.renewed(await this.#ask(this.#asked));
    } catch (cause) {
      if (cause instanceof ApiError && cause.status === 404) this.#events.refused(cause);
      // The map stands as it is, and its source is asked again.
      else this.#later(PAUSE_MS);
    }
  }

  async #ask(asked: Asked): Promise<TileJson> {
    this.#last = asked;
    const tilejson = await read<TileJson>("/v1/share/tilejson", post({ token: this.#token, ...asked }));
    // Of a choice that was left meanwhile nothing is kept; of one that failed neither, so that the map stays of one mind.
    if (asked === this.#last) {
      this.#asked = asked;
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
