/**
 * A card of the grid: title, body, and the states between. While new figures
 * are on their way the old picture stays and is marked busy.
 */

import type { PanelResult, Widget } from "../api";
import { h, icon } from "../dom";
import { formatNumber } from "../format";
import { drawBar } from "./bar";
import type { Body } from "./body";
import { chartBody, type Draw } from "./chart";
import { drawArea, drawLine } from "./line";
import { numberBody } from "./number";
import { drawPie } from "./pie";
import { tableBody } from "./table";

const CHARTS: Record<string, Draw> = { area: drawArea, bar: drawBar, line: drawLine, pie: drawPie };

export class Card {
  readonly element: HTMLElement;
  readonly #body: Body;
  /** The same rows as a table; only charts have one. */
  readonly #table: Body | null;
  readonly #toggle: HTMLButtonElement | null;
  readonly #stage: HTMLElement;
  readonly #note = h("p", { class: "card-note", hidden: true });
  #result: PanelResult | null = null;

  constructor(widget: Widget) {
    const draw = CHARTS[widget.kind];
    // A kind this page does not know still has rows to read.
    this.#body = draw
      ? chartBody(widget, draw)
      : widget.kind === "number"
        ? numberBody(widget)
        : tableBody(widget);
    this.#table = draw ? tableBody(widget) : null;
    this.#toggle = draw ? toggle(widget.title) : null;
    this.#toggle?.addEventListener("click", () => {
      const pressed = this.#toggle?.getAttribute("aria-pressed") !== "true";
      this.#toggle?.setAttribute("aria-pressed", String(pressed));
      this.#render();
    });

    const headingId = `panel-${widget.id}`;
    const unit = widget.unit && draw ? h("span", { class: "card-unit" }, widget.unit) : null;
    this.#stage = h("div", { class: "card-stage" }, h("div", { class: "skeleton", "aria-hidden": "true" }));
    this.element = h(
      "section",
      {
        class: "card",
        "aria-labelledby": headingId,
        "aria-busy": "true",
        "data-panel": widget.id,
        "data-panel-kind": widget.kind,
        "data-panel-state": "loading",
        "data-width": Math.min(Math.max(Math.round(widget.width), 1), 12),
      },
      h(
        "header",
        { class: "card-head" },
        h("div", { class: "card-title" }, h("h2", { id: headingId }, widget.title), unit),
        this.#toggle,
      ),
      this.#stage,
      this.#note,
    );
  }

  setBusy(busy: boolean): void {
    this.element.setAttribute("aria-busy", String(busy));
  }

  show(result: PanelResult): void {
    this.#result = result;
    this.#render();
  }

  /** No figures can come for now and none stand here: stop looking as if they were on their way. */
  abandon(): void {
    if (!this.#result) this.element.setAttribute("data-panel-state", "waiting");
  }

  close(): void {
    this.#body.close?.();
  }

  #render(): void {
    const result = this.#result;
    if (!result) return;
    const isReady = !result.error && this.#body.hasContent(result);
    if (this.#toggle) this.#toggle.hidden = !isReady;
    this.#note.hidden = true;
    if (result.error) this.#say("error", "This panel couldn’t be loaded.", result.error.error);
    else if (!isReady) this.#say("empty", "No data for this selection.");
    else this.#draw(result);
  }

  #draw(result: PanelResult): void {
    const asTable = this.#toggle?.getAttribute("aria-pressed") === "true";
    const body = asTable && this.#table ? this.#table : this.#body;
    // In the page before it is drawn: a canvas takes its size from its place.
    if (this.#stage.firstElementChild !== body.element) this.#stage.replaceChildren(body.element);
    body.show(result);
    this.element.setAttribute("data-panel-state", "ready");
    this.#note.hidden = !(this.#toggle && !asTable && result.truncated);
    this.#note.textContent = `Drawn from the first ${formatNumber(result.rows.length)} rows.`;
  }

  #say(state: "empty" | "error", words: string, detail?: string): void {
    this.element.setAttribute("data-panel-state", state);
    this.#stage.replaceChildren(
      h(
        "div",
        { class: "card-message" },
        h("p", {}, words),
        detail ? h("p", { class: "card-detail" }, detail) : null,
      ),
    );
  }
}

function toggle(title: string): HTMLButtonElement {
  return h(
    "button",
    { class: "button button-quiet card-toggle", type: "button", "aria-pressed": "false", hidden: true },
    icon("table"),
    "Table",
    h("span", { class: "visually-hidden" }, ` of ${title}`),
  );
}
