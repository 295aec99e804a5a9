/**
 * One or several of a list that is searched on the server: an input with a
 * popup listbox, after the WAI-ARIA combobox pattern. Focus stays in the input
 * and `aria-activedescendant` names the active option, so screen readers and
 * the keyboard see the same thing: arrows, Home and End move, Enter picks,
 * Escape closes, Backspace in an empty input takes the last choice away.
 */

import type { Filter, FilterValue, Option, Scalar } from "../api";
import { h, icon, uniqueId } from "../dom";
import type { Field, Report } from "./control";
import { Options, type Fetch } from "./options";

/** More than anyone scrolls through; a search narrows the rest. */
const SHOWN_OPTIONS = 200;

export function comboboxField(filter: Filter, fetch: Fetch, report: Report): Field {
  return new Combobox(filter, fetch, report);
}

class Combobox implements Field {
  readonly element: HTMLElement;
  readonly inputs: HTMLElement[];
  readonly #many: boolean;
  readonly #required: boolean;
  readonly #label: string;
  readonly #report: Report;
  readonly #options: Options;
  /** Labels met so far, to name a chosen value that the current search hides. */
  readonly #labels = new Map<Scalar, string>();
  readonly #input: HTMLInputElement;
  readonly #chips = h("ul", { class: "chips" });
  readonly #clear: HTMLButtonElement;
  readonly #popup: HTMLElement;
  readonly #list: HTMLElement;
  readonly #note = h("p", { class: "combobox-note", role: "status" });
  #chosen: Scalar[] = [];
  #found: Option[] = [];
  /** What the options in `#found` were searched by. */
  #searched = "";
  #active = -1;

  constructor(filter: Filter, fetch: Fetch, report: Report) {
    this.#many = filter.kind === "multi_select";
    this.#required = filter.required;
    this.#label = filter.label;
    this.#report = report;
    this.#options = new Options(fetch);

    const listId = uniqueId("list");
    this.#list = h("ul", {
      class: "options",
      id: listId,
      role: "listbox",
      "aria-label": filter.label,
      "aria-multiselectable": this.#many ? "true" : null,
    });
    this.#popup = h("div", { class: "combobox-popup", hidden: true }, this.#list, this.#note);
    this.#input = h("input", {
      class: "combobox-input",
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-expanded": "false",
      "aria-controls": listId,
      "aria-autocomplete": "list",
    });
    this.#clear = h(
      "button",
      { class: "icon-button", type: "button", "aria-label": `Clear ${filter.label}`, hidden: true },
      icon("close"),
    );
    const box = h("div", { class: "combobox-box" }, this.#chips, this.#input, this.#clear, icon("chevron"));
    this.element = h("div", { class: "combobox" }, box, this.#popup);
    this.inputs = [this.#input];
    this.#listen(box);
    this.#render();
    // Names for the values in force, and a list that is there when the popup opens.
    void this.#search("");
  }

  show(value: FilterValue): void {
    if (Array.isArray(value)) this.#chosen = [...value];
    else this.#chosen = value === null || value === "" || typeof value === "object" ? [] : [value];
    this.#render();
  }

  #listen(box: HTMLElement): void {
    box.addEventListener("mousedown", (event) => {
      if (event.target instanceof Element && event.target.closest("button")) return;
      if (event.target !== this.#input) event.preventDefault();
      this.#input.focus();
      if (this.#isOpen && event.target !== this.#input) this.#close();
      else this.#open();
    });
    this.#input.addEventListener("input", () => {
      this.#open();
      void this.#search(this.#input.value.trim(), true);
    });
    this.#input.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("focusout", (event) => {
      if (!(event.relatedTarget instanceof Node && this.element.contains(event.relatedTarget))) this.#close();
    });
    // The popup must not take the focus, or the input would close it.
    this.#popup.addEventListener("mousedown", (event) => event.preventDefault());
    this.#list.addEventListener("click", (event) => {
      const item = event.target instanceof Element ? event.target.closest("[role=option]") : null;
      if (item) this.#pick(Array.prototype.indexOf.call(this.#list.children, item));
    });
    this.#clear.addEventListener("click", () => {
      this.#input.focus();
      this.#choose([]);
    });
  }

  #key(event: KeyboardEvent): void {
    const last = Math.min(this.#found.length, SHOWN_OPTIONS) - 1;
    switch (event.key) {
      case "ArrowDown":
        if (this.#isOpen) this.#activate(this.#active >= last ? 0 : this.#active + 1);
        else this.#open();
        break;
      case "ArrowUp":
        if (this.#isOpen) this.#activate(this.#active <= 0 ? last : this.#active - 1);
        else this.#open();
        break;
      case "Home":
      case "End":
        if (!this.#isOpen || this.#active < 0) return;
        this.#activate(event.key === "Home" ? 0 : last);
        break;
      case "Enter":
        if (!this.#isOpen || this.#active < 0) return;
        this.#pick(this.#active);
        break;
      case "Escape":
        if (!this.#isOpen) return;
        this.#close();
        break;
      case "Backspace":
        if (!this.#many || this.#input.value !== "" || this.#chosen.length === 0) return;
        this.#remove(this.#chosen.length - 1);
        break;
      default:
        return;
    }
    event.preventDefault();
  }

  get #isOpen(): boolean {
    return !this.#popup.hidden;
  }

  #open(): void {
    if (this.#isOpen) return;
    this.#popup.hidden = false;
    this.#input.setAttribute("aria-expanded", "true");
    if (!this.#many) this.#input.select();
    this.#activate(this.#found.findIndex((option) => this.#chosen.includes(option.value)));
    // An earlier search may have failed or narrowed the list.
    if (this.#found.length === 0) void this.#search("");
  }

  #close(): void {
    if (this.#isOpen) {
      this.#popup.hidden = true;
      this.#input.setAttribute("aria-expanded", "false");
      this.#activate(-1);
    }
    // What was typed but not picked goes, and its search with it.
    this.#render();
    if (this.#searched !== "") void this.#search("");
  }

  async #search(text: string, typing = false): Promise<void> {
    this.#searched = text;
    if (this.#found.length === 0) this.#note.textContent = "Loading…";
    try {
      const found = await this.#options.load(text, typing);
      if (found === null) return;
      this.#found = found;
      for (const option of found) this.#labels.set(option.value, option.label);
      this.#note.textContent = note(found.length);
    } catch {
      this.#found = [];
      this.#note.textContent = "The choices can’t be loaded right now.";
    }
    this.#renderOptions();
    this.#activate(typing && this.#found.length > 0 ? 0 : -1);
    // Labels may have arrived for values that are shown; a word being typed stays.
    if (!this.#isOpen) this.#render();
  }

  #pick(index: number): void {
    const option = this.#found[index];
    if (!option) return;
    if (!this.#many) {
      this.#choose([option.value]);
      this.#close();
      return;
    }
    const at = this.#chosen.indexOf(option.value);
    const chosen =
      at < 0 ? [...this.#chosen, option.value] : this.#chosen.filter((value) => value !== option.value);
    this.#choose(chosen);
    if (this.#searched !== "") void this.#search("");
    else this.#activate(index);
  }

  #remove(index: number): void {
    this.#choose(this.#chosen.filter((_, at) => at !== index));
  }

  #choose(chosen: Scalar[]): void {
    this.#chosen = chosen;
    this.#render();
    this.#report(this.#many ? chosen : (chosen[0] ?? null));
  }

  #name(value: Scalar): string {
    return this.#labels.get(value) ?? String(value);
  }

  #render(): void {
    const [first] = this.#chosen;
    this.#input.value = this.#many || first === undefined ? "" : this.#name(first);
    this.#input.placeholder = this.#chosen.length > 0 ? "Search…" : this.#required ? "Choose…" : "Any";
    this.#chips.replaceChildren(
      ...(this.#many ? this.#chosen.map((value, index) => this.#chip(value, index)) : []),
    );
    this.#chips.hidden = this.#chips.childElementCount === 0;
    // Chips carry their own buttons.
    this.#clear.hidden = this.#many || this.#required || this.#chosen.length === 0;
    this.#renderOptions();
  }

  #chip(value: Scalar, index: number): HTMLElement {
    const name = this.#name(value);
    const remove = h(
      "button",
      { class: "chip-remove", type: "button", "aria-label": `Remove ${name} from ${this.#label}` },
      icon("close"),
    );
    remove.addEventListener("click", () => {
      this.#input.focus();
      this.#remove(index);
    });
    return h("li", { class: "chip" }, h("span", {}, name), remove);
  }

  #renderOptions(): void {
    const items = this.#found.slice(0, SHOWN_OPTIONS).map((option, index) =>
      h(
        "li",
        {
          class: "option",
          role: "option",
          id: `${this.#list.id}-${index}`,
          "aria-selected": String(this.#chosen.includes(option.value)),
        },
        h("span", { class: this.#many ? "tick tick-box" : "tick" }, icon("check")),
        h("span", {}, option.label),
      ),
    );
    this.#list.replaceChildren(...items);
    this.#activate(this.#active);
  }

  #activate(index: number): void {
    this.#active = index < this.#list.childElementCount ? index : -1;
    for (const [at, item] of [...this.#list.children].entries()) {
      item.classList.toggle("option-active", at === this.#active);
    }
    const item = this.#list.children[this.#active];
    if (item && this.#isOpen) {
      this.#input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else {
      this.#input.removeAttribute("aria-activedescendant");
    }
  }
}

function note(count: number): string {
  if (count === 0) return "Nothing matches.";
  return count > SHOWN_OPTIONS ? `The first ${SHOWN_OPTIONS} of ${count}. Type to find others.` : "";
}
