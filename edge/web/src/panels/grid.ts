/** The cards of a dashboard, in its own order. */

import type { PanelResult, Widget } from "../api";
import { Card } from "./card";

export class Grid {
  readonly #cards = new Map<string, Card>();

  constructor(place: HTMLElement, layout: Widget[]) {
    for (const widget of layout) this.#cards.set(widget.id, new Card(widget));
    place.replaceChildren(...[...this.#cards.values()].map((card) => card.element));
  }

  setBusy(busy: boolean): void {
    for (const card of this.#cards.values()) card.setBusy(busy);
  }

  show(results: PanelResult[]): void {
    for (const result of results) this.#cards.get(result.id)?.show(result);
  }

  /** Ends the waiting of cards that never got a result. */
  abandon(): void {
    for (const card of this.#cards.values()) card.abandon();
  }
  /** Lets go of charts. */
  close(): void {
    for (const card of this.#cards.values()) card.close();
  }
}
