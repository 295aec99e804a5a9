/**
 * What went wrong with the whole page, in words, with a way on. When the server
 * names a time to come back, the page comes back by itself, once: a second
 * refusal waits for the reader, or many open pages would keep an origin down.
 */

import { ApiError } from "./api";
import { h } from "./dom";

/** A longer wait is left to the reader. */
const LONGEST_WAIT_S = 120;

export class Notice {
  readonly #place: HTMLElement;
  #timer: number | undefined;
  #hasRetried = false;

  constructor(place: HTMLElement) {
    this.#place = place;
  }

  /** Everything is well again. */
  clear(): void {
    this.#hasRetried = false;
    this.#hide();
  }

  /** Says words to which this page knows no way on. */
  say(words: string): void {
    this.#hide();
    this.#place.replaceChildren(h("p", {}, words));
    this.#place.hidden = false;
  }

  show(error: ApiError, retry: () => void): void {
    const again = (): void => {
      this.#hide();
      retry();
    };
    const button = h("button", { class: "button", type: "button", "data-action": "retry" }, "Try again");
    button.addEventListener("click", again);
    const wait = h("span", { class: "notice-wait" });
    this.#hide();
    this.#place.replaceChildren(h("p", {}, `${error.message} `, wait), button);
    this.#place.hidden = false;

    const seconds = error.retryAfter;
    if (seconds === null || seconds > LONGEST_WAIT_S || this.#hasRetried) return;
    this.#hasRetried = true;
    // Said once: a ticking clock in an alert would be read out every second.
    wait.textContent = seconds > 1 ? `Trying again in ${seconds} seconds.` : "Trying again in a moment.";
    this.#timer = setTimeout(again, Math.max(seconds, 1) * 1000);
  }

  #hide(): void {
    clearTimeout(this.#timer);
    this.#place.hidden = true;
    this.#place.replaceChildren();
  }
}

/** Whatever went wrong as something to show. */
export function inWords(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause;
  // Not a refusal but a fault of this page: the console should have it.
  console.error(cause);
  return new ApiError("This page couldn’t be shown.", 0, "", null, null);
}
