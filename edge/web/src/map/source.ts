/**
 * Where a map's tiles are: the map's TileJSON, whose addresses hold a ticket that ends. It is asked for again before that, by the
 * grant or the renewal that the page's cookies hold, so that a map that was left open goes on.
 */

import { ApiError, post, read } from "../api";

export interface TileJson {
  name: string;
  profile: string;
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

/** Stands in the addresses that the drawing library knows, in the place of the ticket, which changes. */
const CURRENT = "/tiles/current/";
const TICKET = /\/tiles\/[^/]+\//;
/** A ticket is renewed so long before it ends. */
const AHEAD_S = 180;
/** After a renewal that failed, and between two for tiles that were refused. */
const PAUSE_MS = 30_000;

export class MapSource {
  readonly #token: string;
  readonly #refused: (cause: unknown) => void;
  #asked: { item_id: string; profile: string | null } | undefined;
  #current = CURRENT;
  #renewAt = Number.POSITIVE_INFINITY;
  #renewedAt = 0;
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

  /** An address of a tile with the ticket of this moment. */
  addressed(url: string): string {
    return url.replace(CURRENT, this.#current);
  }

  /** Is it time for another ticket? Timers stand still while a tab sleeps. */
  isOver(): boolean {
    return Date.now() >= this.#renewAt;
  }

  async renew(): Promise<void> {
    try {
      await this.#ask();
    } catch (cause) {
      if (cause instanceof ApiError && cause.status === 404) this.#refused(cause);
      // The map stands as it is, and its source is asked again.
      else this.#later(PAUSE_MS);
    }
  }

  /** As {@link renew}, but not again and again: `false` when it has just been done. */
  async renewOnce(): Promise<boolean> {
    if (Date.now() - this.#renewedAt < PAUSE_MS) return false;
    await this.renew();
    return true;
  }

  async #ask(): Promise<TileJson> {
    this.#renewedAt = Date.now();
    const asked = this.#asked;
    const tilejson = await read<TileJson>("/v1/share/tilejson", post({ token: this.#token, ...asked }));
    // Of a choice that was left meanwhile nothing is kept.
    if (asked !== this.#asked) return tilejson;
    this.#current = TICKET.exec(tilejson.tiles[0] ?? "")?.[0] ?? CURRENT;
    this.#later(Math.max(tilejson.ticket_expires_in - AHEAD_S, AHEAD_S) * 1000);
    return { ...tilejson, tiles: tilejson.tiles.map((tiles) => tiles.replace(TICKET, CURRENT)) };
  }

  #later(pause: number): void {
    this.#renewAt = Date.now() + pause;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.renew(), pause);
  }
}
