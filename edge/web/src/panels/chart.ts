/**
 * A chart on a canvas with its legend: draws whatever picture its kind makes of
 * a result, and draws it again when the colour scheme changes. For readers who
 * can't see it the canvas carries a summary, and the card offers a table.
 */

import {
  ArcElement,
  BarController,
  BarElement,
  CategoryScale,
  Chart,
  type ChartConfiguration,
  DoughnutController,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
} from "chart.js";

import type { PanelResult, Widget } from "../api";
import { h } from "../dom";
import type { Body } from "./body";
import { measured, measures } from "./columns";
import { legend, type Entry } from "./legend";
import { onThemeChange, theme, type Theme } from "./theme";

Chart.register(
  ArcElement,
  BarController,
  BarElement,
  CategoryScale,
  DoughnutController,
  Filler,
  LinearScale,
  LineController,
  LineElement,
  PointElement,
  Tooltip,
);

/** One drawing: what chart.js needs, and what stands beside it. */
export interface Picture {
  config: ChartConfiguration;
  /** Entries of the legend; none when one series explains itself. */
  entries: Entry[];
  /** Whether the legend names slices of one ring instead of series. */
  isRing: boolean;
  /** The chart in a sentence. */
  summary: string;
}

export type Draw = (widget: Widget, result: PanelResult, colours: Theme) => Picture | null;

export function chartBody(widget: Widget, draw: Draw): Body {
  return new ChartBody(widget, draw);
}

class ChartBody implements Body {
  readonly element: HTMLElement;
  readonly #widget: Widget;
  readonly #draw: Draw;
  readonly #canvas = h("canvas", { role: "img" });
  readonly #legend = h("div", { class: "chart-legend" });
  /** Places of the series a reader has hidden; kept when the figures change. */
  readonly #hidden = new Set<string>();
  readonly #unwatch: () => void;
  #chart: Chart | null = null;
  #result: PanelResult | null = null;

  constructor(widget: Widget, draw: Draw) {
    this.#widget = widget;
    this.#draw = draw;
    this.element = h(
      "div",
      { class: "chart", "data-kind": widget.kind },
      this.#legend,
      h("div", { class: "canvas-box" }, this.#canvas),
    );
    this.#unwatch = onThemeChange(() => {
      this.#destroy();
      this.#render();
    });
  }

  close(): void {
    this.#unwatch();
    this.#destroy();
  }

  #destroy(): void {
    this.#chart?.destroy();
    this.#chart = null;
  }

  hasContent(result: PanelResult): boolean {
    return measures(this.#widget, result).some((series) =>
      series.values.some((value) => measured(value) !== null),
    );
  }

  show(result: PanelResult): void {
    this.#result = result;
    this.#render();
  }

  #render(): void {
    const picture = this.#result && this.#draw(this.#widget, this.#result, theme());
    if (!picture) return;
    this.#canvas.setAttribute("aria-label", picture.summary);
    if (this.#chart) {
      // The same chart moves to its new figures, which shows what changed.
      this.#chart.data = picture.config.data;
      this.#chart.options = picture.config.options ?? {};
      this.#chart.update();
    } else {
      this.#chart = new Chart(this.#canvas, picture.config);
    }
    this.#applyHidden(picture);
    this.#legend.replaceChildren(
      ...(picture.entries.length > 0
        ? [
            legend(
              picture.entries,
              (index) => !this.#isHidden(picture, index),
              (index) => this.#toggle(picture, index),
            ),
          ]
        : []),
    );
  }

  #isHidden(picture: Picture, index: number): boolean {
    return this.#hidden.has(picture.entries[index]?.name ?? "");
  }

  #toggle(picture: Picture, index: number): void {
    const name = picture.entries[index]?.name ?? "";
    if (!this.#hidden.delete(name)) this.#hidden.add(name);
    this.#applyHidden(picture);
  }

  #applyHidden(picture: Picture): void {
    const chart = this.#chart;
    if (!chart) return;
    let changed = false;
    for (const index of picture.entries.keys()) {
      const visible = !this.#isHidden(picture, index);
      const shown = picture.isRing ? chart.getDataVisibility(index) : chart.isDatasetVisible(index);
      if (shown === visible) continue;
      changed = true;
      if (picture.isRing) chart.toggleDataVisibility(index);
      else chart.setDatasetVisibility(index, visible);
    }
    if (changed) chart.update();
  }
}
