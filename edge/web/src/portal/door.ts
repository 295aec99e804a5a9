/**
 * How somebody comes in: says an e-mail address, and then the code that was sent there. Nothing here tells
 * whether an address is invited.
 *
 * The history's state remembers that a code is awaited: who goes to read the mail may find this page loaded
 * anew.
 */

import { ApiError } from "../api";
import { region } from "../dom";
import { inWords } from "../notice";
import { wait } from "../wait";
import { isRefused, type Session } from "./session";

const CODE_DIGITS = 8;
/** As long as a code lives. */
const CODE_LIFE_MS = 600_000;
/** The server sends no sooner. */
const AGAIN_S = 30;
/** A longer wait is said in words, not counted down. */
const LONGEST_COUNTDOWN_S = 120;

interface Awaited {
  email: string;
  /** Milliseconds by this machine's clock. */
  askedAt: number;
}

export class Door {
  readonly #session: Session;
  readonly #came: () => void;
  readonly #title = region("door-title");
  readonly #why = region("door-why");
  readonly #ask = new Form("ask", "email");
  readonly #enter = new Form("enter", "code");
  readonly #again = region("again") as HTMLButtonElement;
  readonly #news = region("news");
  #countdown: number | undefined;
  #mayAskAt = 0;

  /** `came` is called when somebody is signed in. */
  constructor(session: Session, came: () => void) {
    this.#session = session;
    this.#came = came;
    this.#ask.whenSent(() => this.#request());
    this.#enter.whenSent(() => this.#verify());
    this.#again.addEventListener("click", () => void this.#enter.run(() => this.#requestAgain()));
    region("other").addEventListener("click", () => {
      this.#ask.field.value = awaited()?.email ?? "";
      expect(null);
      this.#askForAddress("");
    });
  }

  /** Stands before the portal, with a sentence that says why. */
  open(why: string): void {
    region("door").hidden = false;
    const expected = awaited();
    if (expected === null) this.#askForAddress(why);
    else this.#askForCode(expected);
  }

  close(): void {
    clearInterval(this.#countdown);
    expect(null);
    // Who comes next at this machine may be somebody else.
    this.#ask.field.value = "";
    this.#enter.field.value = "";
    region("door").hidden = true;
  }

  #askForAddress(why: string): void {
    clearInterval(this.#countdown);
    this.#enter.hide();
    this.#name("Sign in");
    this.#why.textContent = [why, "Enter your e-mail address. If it is invited, a code to sign in with is sent to it."]
      .filter(Boolean)
      .join(" ");
    this.#ask.show();
  }

  #askForCode({ email, askedAt }: Awaited): void {
    this.#ask.hide();
    this.#name("Enter the code");
    const address = document.createElement("strong");
    address.textContent = email;
    this.#why.replaceChildren("If ", address, " is invited, a code is on its way to it. It works for ten minutes.");
    this.#news.textContent = "";
    this.#holdBack(askedAt + AGAIN_S * 1000);
    this.#enter.show();
  }

  #name(title: string): void {
    document.title = title;
    this.#title.textContent = title;
  }

  async #request(): Promise<void> {
    const { field } = this.#ask;
    field.value = field.value.trim();
    if (!field.validity.valid || field.value === "") {
      return this.#ask.refuse("Enter an e-mail address, such as name@example.com.");
    }
    try {
      await this.#session.request(field.value);
    } catch (cause) {
      return this.#ask.refuse(words(cause, "Codes can’t be sent to this address. Check how it is written."));
    }
    const expected = { email: field.value, askedAt: Date.now() };
    expect(expected);
    this.#askForCode(expected);
  }

  async #requestAgain(): Promise<void> {
    const email = awaited()?.email;
    if (email === undefined || this.#mayAskAt > Date.now()) return;
    this.#news.textContent = "";
    try {
      await this.#session.request(email);
      const askedAt = Date.now();
      expect({ email, askedAt });
      this.#holdBack(askedAt + AGAIN_S * 1000);
      this.#news.textContent = "Asked for a new code. Only the newest one works.";
      this.#enter.field.value = "";
    } catch (cause) {
      const after = cause instanceof ApiError ? (cause.retryAfter ?? 0) : 0;
      if (after > 0 && after <= LONGEST_COUNTDOWN_S) this.#holdBack(Date.now() + after * 1000);
      this.#enter.say(words(cause, "Codes can’t be sent to this address."));
    }
    // The button can't keep the focus while it counts.
    this.#enter.field.focus();
  }

  async #verify(): Promise<void> {
    const email = awaited()?.email;
    if (email === undefined) return this.#askForAddress("");
    // However it was written down, copied or filled in; also with digits of another width.
    const code = this.#enter.field.value.normalize("NFKC").replace(/\D/g, "");
    if (code.length !== CODE_DIGITS) return this.#enter.refuse("A code has eight digits, such as 1234-5678.");
    try {
      await this.#session.verify(email, `${code.slice(0, 4)}-${code.slice(4)}`);
    } catch (cause) {
      this.#news.textContent = "";
      const wrong = "That code doesn’t work. Check it, or have a new one sent.";
      return this.#enter.refuse(isRefused(cause) ? wrong : words(cause, wrong));
    }
    this.#came();
  }

  /** Shows how long it is until another code may be asked for. */
  #holdBack(until: number): void {
    this.#mayAskAt = until;
    clearInterval(this.#countdown);
    const show = (): void => {
      const seconds = Math.ceil((until - Date.now()) / 1000);
      this.#again.disabled = seconds > 0;
      this.#again.textContent = seconds > 0 ? `Send again in ${seconds} s` : "Send again";
      if (seconds <= 0) clearInterval(this.#countdown);
    };
    this.#countdown = setInterval(show, 1000);
    show();
  }
}

/** A form with one field, and a place for what is wrong with it. */
class Form {
  readonly field: HTMLInputElement;
  readonly #element: HTMLFormElement;
  readonly #problem: HTMLElement;
  #isBusy = false;

  constructor(id: string, field: string) {
    this.#element = region(id) as HTMLFormElement;
    this.field = region(field) as HTMLInputElement;
    this.#problem = region(`${field}-problem`);
    this.field.addEventListener("input", () => this.clear());
  }

  whenSent(act: () => Promise<void>): void {
    this.#element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.run(act);
    });
  }

  /** One thing at a time; the button stays as it is, since it may have the focus. */
  async run(act: () => Promise<void>): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.clear();
    this.#element.setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      this.#isBusy = false;
      this.#element.removeAttribute("aria-busy");
    }
  }

  show(): void {
    this.clear();
    this.#element.hidden = false;
    this.field.focus();
    this.field.select();
  }

  hide(): void {
    this.#element.hidden = true;
  }

  clear(): void {
    this.field.removeAttribute("aria-invalid");
    this.say("");
  }

  /** Says what is wrong with the value, which stays to be mended. */
  refuse(problem: string): void {
    this.field.setAttribute("aria-invalid", "true");
    this.field.focus();
    this.field.select();
    this.say(problem);
  }

  /** As a new text, so that the same words twice are announced twice. */
  say(problem: string): void {
    this.#problem.replaceChildren(problem);
  }
}

/** The address that a code is awaited at, if that is still of use. */
function awaited(): Awaited | null {
  const state = history.state as { awaited?: Awaited } | null;
  const expected = state?.awaited;
  return expected && Date.now() - expected.askedAt < CODE_LIFE_MS ? expected : null;
}

/** Remembers it with this entry of the history. */
function expect(expected: Awaited | null): void {
  history.replaceState(expected && { awaited: expected }, "");
}

function words(cause: unknown, invalid: string): string {
  const error = inWords(cause);
  if (error.code === "RATE_LIMITED") return `Too many tries. ${wait(error.retryAfter)}`;
  return error.code === "VALIDATION_ERROR" ? invalid : error.message;
}
