/**
 * A table of any length, of which only the rows in sight are in the page. The
 * table stands still at the top of a scrolling box; what scrolls is an empty
 * sizer, and the rows follow. Browsers don't take boxes of more than some
 * million pixels: beyond, a small scroll moves by rows, a large one by share.
 */

import { h, icon } from "../dom";
import { columnTitle, formatCell, formatMomentWhole, NOTHING } from "../format";
import type { Product, ProductColumn, Question, Value } from "./api";
import { writeExactly } from "./exact";
import type { Rows } from "./rows";

/** Height of a row and of the head, in pixels; the style sheet says the same. */
const ROW = 36;
const HEAD = 52;
/** Tallest sizer: half of what the least browser takes. */
const TALLEST = 8_000_000;
/** Widths of columns, in pixels. */
const NARROWEST = 88;
const WIDEST = 360;
/** What stands beside a text, in pixels: the arrow of the order in a head, and the room around both. */
const ARROW = 24;
const PADDING = 36;
/** Most letters of a text that is measured: more are cut in any case. */
const MEASURED = 200;

export class Grid {
  readonly element: HTMLElement;
  readonly #columns: ProductColumn[];
  readonly #table: HTMLTableElement;
  readonly #body = h("tbody");
  readonly #sizer = h("div", { class: "grid-sizer" });
  readonly #heads: HTMLTableCellElement[];
  readonly #cols: HTMLElement[];
  readonly #empty = h("p", { class: "grid-empty", hidden: true }, "There are no rows.");
  #rows: Rows | null = null;
  /** First row in sight, in rows and parts of one. */
  #top = 0;
  #scrolled = 0;
  #isMeasured = false;
  #frame = 0;

  constructor(product: Product, sortBy: (column: string) => void) {
    this.#columns = product.columns;
    this.#heads = product.columns.map((column) => heading(column, sortBy));
    this.#cols = product.columns.map(() => h("col"));
    this.#table = h(
      "table",
      { class: "grid-table", "aria-colcount": product.columns.length },
      h("caption", { class: "visually-hidden" }, product.name),
      h("colgroup", {}, ...this.#cols),
      h("thead", {}, h("tr", { "aria-rowindex": 1 }, ...this.#heads)),
      this.#body,
    );
    // Focusable, so that the keyboard can scroll it.
    this.element = h(
      "div",
      { class: "grid-scroll", tabindex: 0, role: "region", "aria-label": `${product.name}, table` },
      this.#table,
      this.#sizer,
      this.#empty,
    );
    this.element.addEventListener("scroll", () => this.#scroll());
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  /** Shows the rows of another question, from the first. */
  show(rows: Rows, question: Question): void {
    this.#rows?.stop();
    this.#rows = rows;
    this.#top = 0;
    this.#scrolled = 0;
    this.element.scrollTop = 0;
    this.#columns.forEach((column, at) => {
      const direction = question.descending ? "descending" : "ascending";
      if (column.name === question.sort) this.#heads[at]?.setAttribute("aria-sort", direction);
      else this.#heads[at]?.removeAttribute("aria-sort");
    });
    this.draw();
  }

  /** Draws what is in sight, in the next frame. */
  draw(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #scroll(): void {
    const now = this.element.scrollTop;
    const moved = now - this.#scrolled;
    if (moved === 0) return this.draw();
    this.#scrolled = now;
    const room = this.#sizer.offsetHeight - this.#view() - HEAD;
    const last = this.#last();
    const isScaled = this.#height() > TALLEST;
    if (!isScaled) this.#top = now / ROW;
    else if (now <= 0) this.#top = 0;
    else if (now >= room - 1) this.#top = last;
    else if (Math.abs(moved) <= 2 * this.#view()) this.#top += moved / ROW;
    else this.#top = (now / room) * last;
    this.#top = Math.max(0, Math.min(this.#top, last));
    this.draw();
  }

  #view(): number {
    return Math.max(this.element.clientHeight - HEAD, ROW);
  }

  #height(): number {
    return (this.#rows?.count ?? 0) * ROW;
  }

  /** The first row in sight when the last one is. */
  #last(): number {
    return Math.max(0, (this.#height() - this.#view()) / ROW);
  }

  #draw(): void {
    const rows = this.#rows;
    if (!rows) return;
    const first = Math.floor(this.#top);
    const shown = Math.ceil(this.#view() / ROW) + 1;
    const end = Math.min(first + shown, rows.count);
    this.#sizer.style.height = `${Math.min(this.#height(), TALLEST) + HEAD}px`;
    this.#table.setAttribute("aria-rowcount", String(rows.isWhole ? rows.count + 1 : -1));
    this.#empty.hidden = rows.count > 0 || !rows.isWhole;
    const drawn: HTMLElement[] = [];
    for (let index = first; index < end; index += 1) drawn.push(this.#row(index, rows.at(index)));
    this.#body.replaceChildren(...drawn);
    this.#body.style.transform = `translateY(${-(this.#top - first) * ROW}px)`;
    this.#measure(rows, first, end);
    // A little more than is in sight, so that a slow scroll finds it here.
    rows.want(Math.max(0, first - shown), first + 2 * shown);
  }

  #row(index: number, cells: Value[] | undefined): HTMLElement {
    const row = h("tr", { "aria-rowindex": index + 2, "data-row": index });
    this.#columns.forEach((column, at) => row.append(cell(column, cells?.[at])));
    return row;
  }

  /** Columns get their widths from the first rows, and keep them. */
  #measure(rows: Rows, first: number, end: number): void {
    if (this.#isMeasured || (end > first && rows.at(first) === undefined)) return;
    this.#isMeasured = end > first;
    let width = 0;
    const inHead = ruler(this.#heads[0]);
    const inCell = ruler(this.#body.querySelector("td"));
    this.#columns.forEach((column, at) => {
      let longest = inHead(columnTitle(column)) + ARROW;
      for (let index = first; index < end; index += 1) {
        const value = rows.at(index)?.[at];
        if (value !== undefined) longest = Math.max(longest, inCell(words(column, value)));
      }
      const own = Math.ceil(Math.max(NARROWEST, Math.min(longest + PADDING, WIDEST)));
      const col = this.#cols[at];
      if (col) col.style.width = `${own}px`;
      width += own;
    });
    this.#table.style.minWidth = `${width}px`;
  }
}

/** How wide texts are where an element shows them, in pixels. */
function ruler(element: Element | null | undefined): (text: string) => number {
  const canvas = document.createElement("canvas").getContext("2d");
  if (!canvas || !element) return () => WIDEST;
  // Not its `font`, which is empty where digits are all of one width.
  const { fontWeight, fontSize, fontFamily } = getComputedStyle(element);
  canvas.font = `${fontWeight} ${fontSize} ${fontFamily}`;
  return (text) => canvas.measureText(text.slice(0, MEASURED)).width;
}

function heading(column: ProductColumn, sortBy: (column: string) => void): HTMLTableCellElement {
  const type = h("span", { class: "grid-type" }, column.type);
  const title = columnTitle(column);
  const numeric = isNumeric(column) ? "numeric" : null;
  if (!column.sortable) {
    return h("th", { scope: "col", class: numeric }, h("span", { class: "grid-title", title }, title), type);
  }
  const button = h(
    "button",
    { class: "sort", type: "button", "data-column": column.name, title },
    h("span", { class: "grid-title" }, title),
    icon("chevron"),
  );
  button.addEventListener("click", () => sortBy(column.name));
  return h("th", { scope: "col", class: numeric }, button, type);
}

function cell(column: ProductColumn, value: Value | undefined): HTMLElement {
  // Not here yet.
  if (value === undefined) return h("td", {}, h("span", { class: "grid-wait", "aria-hidden": true }));
  if (value === null) return h("td", { class: isNumeric(column) ? "numeric" : null }, h("span", { class: "empty" }, NOTHING));
  const text = words(column, value);
  return h("td", { class: isNumeric(column) ? "numeric" : null, title: text.length > 24 ? text : null }, text);
}

function words(column: ProductColumn, value: Value): string {
  if (value !== null && typeof value === "object") return writeExactly(value);
  if (typeof value === "bigint") return String(value);
  // As many digits as there are: this is the data itself, no summary of it.
  if (column.type === "number" && typeof value === "number") return exact.format(value);
  if (column.type === "timestamp") return formatMomentWhole(String(value));
  return formatCell(value, column);
}

const exact = new Intl.NumberFormat(undefined, { maximumFractionDigits: 15 });

function isNumeric(column: ProductColumn): boolean {
  return column.type === "integer" || column.type === "number";
}
