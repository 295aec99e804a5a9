/**
 * The conversation with the page around. Until the embed is known, nobody is:
 * messages wait, and are heard only if they came from a site that it lists.
 * Two things can't wait, or a view whose token is dead could never be helped:
 * that it is dead is told to whoever said hello, and another token is handed on
 * to be judged by the sites that it lists itself.
 */

import { isObject, isOurs, isTheme, sealed, type Params, type Theme, type ToHost } from "../../embed/protocol";
import { fits } from "./origin";

export interface Listener {
  token(token: string, origin: string): void;
  params(params: Params): void;
  theme(theme: Theme): void;
}

type Received = { type: unknown } & Record<string, unknown>;

export class Host {
  readonly #listener: Listener;
  /** What a page that says hello must hear, also if it comes late. */
  readonly #standing = new Map<ToHost["type"], ToHost>();
  #allowed: string[] | null = null;
  #waiting: { origin: string; message: Received }[] = [];
  /** Who said hello last; judged once `#allowed` is known. */
  #origin: string | null = null;

  constructor(listener: Listener) {
    this.#listener = listener;
    if (window.parent === window) return;
    addEventListener("message", ({ source, origin, data }: MessageEvent) => {
      if (source === window.parent && isOurs(data)) this.#receive(origin, data);
    });
  }

  /** From now on these sites are heard and answered. */
  allow(origins: string[]): void {
    const isFirst = this.#allowed === null;
    this.#allowed = origins;
    if (this.#origin !== null && !fits(this.#origin, origins)) this.#origin = null;
    if (isFirst) this.#repeat();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { origin, message } of waiting) this.#receive(origin, message);
  }

  send(message: ToHost): void {
    if (message.type !== "params") this.#standing.set(message.type, message);
    this.#post(message);
  }

  /** What was said before, and is no longer so. */
  withdraw(...types: ToHost["type"][]): void {
    for (const type of types) this.#standing.delete(type);
  }

  #repeat(): void {
    for (const message of this.#standing.values()) this.#post(message);
  }

  #post(message: ToHost): void {
    if (this.#origin === null || (this.#allowed === null && message.type !== "error")) return;
    window.parent.postMessage(sealed(message), this.#origin);
  }

  #receive(origin: string, message: Received): void {
    if (this.#allowed !== null) {
      if (fits(origin, this.#allowed)) this.#heed(origin, message);
    } else if (message.type === "hello" || message.type === "token") {
      this.#heed(origin, message);
    } else {
      this.#waiting.push({ origin, message });
    }
  }

  #heed(origin: string, { type, token, params, theme }: Received): void {
    if (type === "hello") {
      this.#origin = origin;
      this.#repeat();
    } else if (type === "token" && typeof token === "string") {
      this.#listener.token(token, origin);
    } else if (type === "params" && isObject(params)) {
      this.#listener.params(params);
    } else if (type === "theme" && isTheme(theme)) {
      this.#listener.theme(theme);
    }
  }
}
