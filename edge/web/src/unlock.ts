/**
 * The page before a protected share: gives the password, or says that the visitor
 * wants to open a counted link. The server keeps the grant in a cookie that no
 * script can read; loading the address again then shows the share itself.
 */

import { ApiError, ShareApi, tokenFrom } from "./api";
import { region } from "./dom";
import { wait } from "./wait";

const form = region("unlock") as HTMLFormElement;
const button = form.querySelector("button") as HTMLButtonElement;
const problem = region("problem");
const password = form.querySelector<HTMLInputElement>("#password");
const api = new ShareApi(tokenFrom(location.pathname));

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void unlock();
});

form.querySelector<HTMLInputElement>("#show")?.addEventListener("change", ({ target }) => {
  if (password) password.type = (target as HTMLInputElement).checked ? "text" : "password";
});

async function unlock(): Promise<void> {
  if (button.disabled) return;
  say("");
  button.disabled = true;
  form.setAttribute("aria-busy", "true");
  try {
    await api.unlock(password?.value ?? null);
    if (navigator.cookieEnabled) return location.reload();
    say("Your browser keeps no cookies for this page: allow them to open the link.");
  } catch (cause) {
    refused(cause);
  }
  button.disabled = false;
  form.removeAttribute("aria-busy");
}

function refused(cause: unknown): void {
  if (!(cause instanceof ApiError)) throw cause;
  switch (cause.code) {
    // Dead since the form was loaded: the server says so best.
    case "TOKEN_INVALID":
      return location.reload();
    case "PASSWORD_INVALID":
      password?.setAttribute("aria-invalid", "true");
      password?.select();
      return say("That is not the password. Upper and lower case matter.");
    case "VALIDATION_ERROR":
      password?.focus();
      return say("A password has at most 128 characters, fewer with accents or other scripts.");
    case "RATE_LIMITED":
      return say(`Too many tries. ${wait(cause.retryAfter)}`);
    default:
      return say(cause.message);
  }
}

/** Emptied first, so that the same words twice are announced twice. */
function say(words: string): void {
  problem.textContent = words;
}

password?.addEventListener("input", () => {
  password.removeAttribute("aria-invalid");
  say("");
});
