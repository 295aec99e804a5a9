/**
 * Rows as a table that sorts by any column. Used for table panels and as the
 * readable form of every chart.
 */

import type { Cell, Column, PanelResult, Widget } from "../api";
import { h, icon } from "../dom";
import { columnFormat, columnTitle, NOTHING, parseMoment } from "../format";
import type { Body } from "./body";
import { formatInstant, timeline } from "./time";

/** Rows drawn at first; each "Show more" doubles them, so even 10,000 are a few clicks away. */
const FIRST_ROWS = 100;

interface Order {
  column: string;
  descending: boolean;
}

export function tableBody(widget: Widget): Body {
  return new Table(widget);
}

class Table implements Body {
  readonly element: HTMLElement;
  readonly #widget: Widget;
  readonly #scroller: HTMLElement;
  readonly #count = h("p", { class: "table-count" });
  readonly #more = h("button", { class: "button", type: "button" });
  #result: PanelResult | null = null;
  #order: Order | null = null;
  #shown = FIRST_ROWS;

  constructor(widget: Widget) {
    this.#widget = widget;
    // Focusable, so that the keyboard can scroll it.
    this.#scroller = h("div", {
      class: "table-scroll",
      tabindex: 0,
      role: "region",
      "aria-label": `${widget.title}, table`,
    });
    this.element = h(
      "div",
      { class: "table-panel" },
      this.#scroller,
      h("div", { class: "table-foot" }, this.#count, this.#more),
    );
    this.#more.addEventListener("click", () => {
      this.#shown *= 2;
      this.#render();
      if (this.#more.hidden) this.#scroller.focus({ preventScroll: true });
    });
  }

  hasContent(result: PanelResult): boolean {
    return result.rows.length > 0;
  }

  show(result: PanelResult): void {
    this.#result = result;
    this.#shown = FIRST_ROWS;
    this.#render();
  }

  #render(): void {
    const result = this.#result;
    if (!result) return;
    const indexes = shownColumns(this.#widget, result);
    const rows = sorted(result, this.#order);
    const visible = rows.slice(0, this.#shown);
    const focused = this.#scroller.contains(document.activeElement)
      ? document.activeElement?.getAttribute("data-column")
      : null;

    const columns = indexes.map((index) => new TableColumn(result, index));
    const head = h("tr", {}, ...columns.map(({ column }) => this.#heading(column)));
    const body = visible.map((row) => h("tr", {}, ...columns.map((column) => column.cell(row))));
    this.#scroller.replaceChildren(
      h(
        "table",
        {},
        h("caption", { class: "visually-hidden" }, this.#widget.title),
        h("thead", {}, head),
        h("tbody", {}, ...body),
      ),
    );
    if (focused != null)
      this.#scroller.querySelector<HTMLElement>(`button[data-column="${CSS.escape(focused)}"]`)?.focus();
    this.#foot(visible.length, rows.length);
  }

  #heading(column: Column): HTMLElement {
    const isSorted = this.#order?.column === column.name;
    const button = h(
      "button",
      { class: "sort", type: "button", "data-column": column.name },
      columnTitle(column),
      icon("chevron"),
    );
    button.addEventListener("click", () => {
      // The first click on figures brings the largest up; on words, the first of the alphabet.
      const first = isNumeric(column);
      this.#order = { column: column.name, descending: isSorted ? !this.#order?.descending : first };
      this.#render();
      this.#scroller.scrollTop = 0;
    });
    const direction = this.#order?.descending ? "descending" : "ascending";
    return h(
      "th",
      { scope: "col", class: isNumeric(column) ? "numeric" : null, "aria-sort": isSorted ? direction : null },
      button,
    );
  }

  #foot(visible: number, total: number): void {
    const whole = new Intl.NumberFormat();
    const rows = total === 1 ? "1 row" : `${whole.format(total)} rows`;
    const cut = this.#result?.truncated ? `First ${rows}; there are more` : rows;
    this.#count.textContent =
      visible < total ? `${whole.format(visible)} of ${cut.replace(/^First/, "the first")}` : cut;
    this.#more.hidden = visible >= total;
    this.#more.textContent = `Show ${whole.format(Math.min(visible, total - visible))} more`;
  }
}

/** A shown column: where it stands in a row, and how its cells look. */
class TableColumn {
  readonly column: Column;
  readonly #index: number;
  readonly #class: string | null;
  readonly #format: (value: Cell) => string;

  constructor(result: PanelResult, index: number) {
    this.column = result.columns[index] ?? { name: "", type: "text" };
    this.#index = index;
    const values = result.rows.map((row) => row[index] ?? null);
    this.#class = classOf(this.column, values);
    // Months come as text, because no column type says "month".
    const isMonths =
      this.column.type === "text" && timeline({ column: this.column, values })?.grain === "month";
    this.#format = isMonths
      ? (value) => formatInstant(parseMoment(String(value)), "month")
      : columnFormat(this.column, values);
  }

  cell(row: Cell[]): HTMLElement {
    const value = row[this.#index] ?? null;
    const content = value === null ? h("span", { class: "empty" }, NOTHING) : this.#format(value);
    return h("td", { class: this.#class }, content);
  }
}

/** Longer text wraps, but not into a column of single words. */
const LONG_TEXT = 40;

function classOf(column: Column, values: Cell[]): string | null {
  if (isNumeric(column)) return "numeric";
  if (column.type !== "text" && column.type !== "json") return null;
  return values.some((value) => String(value).length > LONG_TEXT) ? "words long" : "words";
}

function isNumeric(column: Column): boolean {
  return column.type === "integer" || column.type === "number";
}

/** Places of the columns the widget names, in its order; all when it names none. */
function shownColumns(widget: Widget, result: PanelResult): number[] {
  const names = [widget.x, ...widget.y].filter((name) => name !== null);
  const named = names
    .map((name) => result.columns.findIndex((column) => column.name === name))
    .filter((index) => index >= 0);
  return named.length > 0 ? named : result.columns.map((_, index) => index);
}

const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Rows in the chosen order, empty cells always last; a column that is gone leaves the source's order. */
function sorted(result: PanelResult, order: Order | null): Cell[][] {
  const index = result.columns.findIndex((column) => column.name === order?.column);
  if (!order || index < 0) return result.rows;
  const sign = order.descending ? -1 : 1;
  return [...result.rows].sort((left, right) => {
    const a = left[index] ?? null;
    const b = right[index] ?? null;
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * words.compare(String(a), String(b));
  });
}
