/** The page of a data product: resolves the link and shows its rows. Start reading here. */

import { tokenFrom } from "./api";
import { h, region } from "./dom";
import { expiry } from "./footer";
import { formatDate } from "./format";
import { leave } from "./leave";
import { inWords, Notice } from "./notice";
import { ProductApi, type Question } from "./product/api";
import { Grid } from "./product/grid";
import { Rows } from "./product/rows";

/** A reader who types goes on typing: the server is asked after a pause. */
const TYPING_MS = 250;

const FORMATS = [
  ["csv", "CSV"],
  ["jsonl", "JSON lines"],
  ["parquet", "Parquet"],
] as const;

const notice = new Notice(region("notice"));
const api = new ProductApi(tokenFrom(location.pathname));
const whole = new Intl.NumberFormat();

void open();

async function open(): Promise<void> {
  try {
    const resolved = await api.resolve();
    const product = resolved.data_product;
    const question: Question = { sort: null, descending: false, search: "" };
    const grid = new Grid(product, (column) => {
      // The first click brings up the smallest, the second the largest, the third the order of the source.
      if (question.sort !== column) Object.assign(question, { sort: column, descending: false });
      else if (!question.descending) question.descending = true;
      else Object.assign(question, { sort: null, descending: false });
      ask();
    });

    const ask = (): void => {
      region("main").dataset["state"] = "loading";
      const rows = new Rows(api, question, product.row_count, {
        changed: () => {
          grid.draw();
          region("count").textContent = counted(rows, question.search !== "");
          region("main").dataset["state"] = "ready";
          notice.clear();
        },
        failed: (cause) => fail(cause, ask),
      });
      grid.show(rows, question);
    };

    region("grid").replaceChildren(grid.element);
    region("downloads").replaceChildren(...FORMATS.map(([format, name]) => link(format, name)));
    const read = formatDate(Date.parse(product.loaded_at), { dateStyle: "medium", timeStyle: "short" });
    region("freshness").replaceChildren(
      h("span", {}, `Rows of ${read} UTC`),
      ...expiry(resolved.share.expires_at),
    );
    searchBy((text) => {
      if (text === question.search) return;
      question.search = text;
      ask();
    });
    ask();
  } catch (cause) {
    fail(cause, () => void open());
  }
}

function link(format: string, name: string): HTMLElement {
  return h("li", {}, h("a", { class: "button", href: api.download(format), download: true }, name));
}

function searchBy(search: (text: string) => void): void {
  const field = region("search") as HTMLInputElement;
  let timer: number | undefined;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => search(field.value.trim()), TYPING_MS);
  });
}

function counted(rows: Rows, isSearch: boolean): string {
  const count = whole.format(rows.count);
  const noun = rows.count === 1 ? "row" : "rows";
  if (!isSearch) return `${count} ${noun}`;
  if (rows.isWhole) return rows.count === 0 ? "No row has that" : `${count} ${noun} found`;
  return rows.count === 0 ? "Searching" : `${count} ${noun} found so far`;
}

function fail(cause: unknown, retry: () => void): void {
  const error = inWords(cause);
  if (error.code === "TOKEN_INVALID") return leave();
  // The grant has ended: the form stands at this address. Or the rows are newer than the page.
  if (error.code === "AUTH_REQUIRED") return location.reload();
  region("main").dataset["state"] = "error";
  notice.show(error, retry);
}
