/**
 * The page inside a frame of somebody else's site: takes its token out of the
 * address, asks what it opens, and shows the dashboard. A token that the page
 * around sends later takes the place of the first; the view goes on. Start
 * reading here.
 */

import { ApiError, EmbedApi, type Embedded, type Executed, type Scheme } from "./api";
import { Dashboard } from "./dashboard";
import { region } from "./dom";
import { Host } from "./embed/host";
import { watchHeight } from "./embed/height";
import { Life } from "./life";
import { ancestorsFit, fits } from "./embed/origin";
import { permitted } from "./embed/permitted";
import { issuedAt, keepToken, takeToken } from "./embed/token";
import { freshness } from "./footer";
import { inWords, Notice } from "./notice";

/** Nobody stands before a wall display to press "Try again". Twice as long at most, so that not all come at once. */
const RETRY_MS = 60_000;

const main = region("main");
const notice = new Notice(region("notice"));
const first = takeToken();
const api = new EmbedApi(first ?? "");
const life = new Life(expiring, end);
const host = new Host({
  token: (token, origin) => void open(token, origin),
  params: (params) => dashboard?.assign(params),
  theme: (theme) => wear((hostTheme = theme)),
});
let dashboard: Dashboard | null = null;
/** What the dashboard was built from, to tell whether another token shows the same. */
let built = "";
let expiresAt = "";
/** What the page around asks for goes before what the token says. */
let hostTheme: Scheme | null = null;
/** Counts tokens that were tried: a later one ends the attempts of an earlier. */
let attempt = 0;
let later: number | undefined;
let isReady = false;

const lookAtHeight = watchHeight((height) => host.send({ type: "height", height }));
if (first !== null) void open(first, null);
else end();

/** Goes on with a token, from the page around if `origin` is that of one. */
async function open(token: string, origin: string | null): Promise<void> {
  const mine = (attempt += 1);
  clearTimeout(later);
  try {
    const { embedded, servedAt } = await new EmbedApi(token).info();
    const { allowed_origins: allowed, expires_at } = embedded.embed;
    if (mine !== attempt || (origin !== null && !fits(origin, allowed))) return;
    if (!ancestorsFit(allowed)) return bare("This site may not show this dashboard.");
    api.replace(token);
    keepToken(token);
    expiresAt = expires_at;
    const shown = show(embedded);
    host.withdraw("error", "token-expiring");
    host.allow(allowed);
    life.start({ issuedAt: issuedAt(token), expiresAt: Date.parse(expires_at), servedAt });
    await shown.run();
  } catch (cause) {
    if (mine === attempt) refused(cause, () => void open(token, origin));
  }
}

/** The dashboard of an embed: the one that stands, if this is the same, or else a new one in its place. */
function show(embedded: Embedded): Dashboard {
  const { embed } = embedded;
  wear(hostTheme ?? embed.theme);
  head(embedded);
  const filters = permitted(embedded.filters, embed.allowed_params);
  const plan = JSON.stringify([embedded.dashboard, filters, embed.hide_controls]);
  if (dashboard !== null && plan === built) return dashboard;
  dashboard?.close();
  built = plan;
  dashboard = new Dashboard(
    { ...embedded, filters },
    {
      api,
      notice,
      showsFilters: !embed.hide_controls,
      settled,
      failed: fail,
      changed: (params) => host.send({ type: "params", params }),
    },
  );
  return dashboard;
}

function head({ dashboard: { name, description }, embed }: Embedded): void {
  document.title = name;
  region("title").textContent = name;
  region("description").textContent = description ?? "";
  region("description").hidden = !description;
  // Those who can't see the page still need its heading.
  region("head").classList.toggle("visually-hidden", embed.hide_header);
}

function wear(theme: Scheme): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

function settled(executed: Executed | null): void {
  clearTimeout(later);
  if (executed) region("freshness").replaceChildren(...freshness(executed));
  lookAtHeight();
  host.withdraw("error");
  if (isReady) return;
  isReady = true;
  host.send({ type: "ready" });
}

function expiring(seconds: number): void {
  host.send({ type: "token-expiring", expires_at: expiresAt, seconds });
}

/** A token that is no good leaves the one in use alone. */
function refused(cause: unknown, retry: () => void): void {
  const isDead = cause instanceof ApiError && cause.code === "TOKEN_INVALID";
  if (isDead && life.isRunning) sayDead();
  else fail(cause, retry);
}

function fail(cause: unknown, retry: () => void): void {
  const error = inWords(cause);
  if (error.code === "TOKEN_INVALID") return end();
  main.dataset["state"] = "error";
  host.send({ type: "error", code: error.code, message: error.message });
  notice.show(error, retry);
  clearTimeout(later);
  const mayPass = error.status === 0 || error.status === 429 || error.status >= 500;
  if (mayPass) later = setTimeout(retry, RETRY_MS * (1 + Math.random()));
}

/** The token has ended, or never was one: only the page around can go on. Figures that are there stay. */
function end(): void {
  life.stop();
  const words = "This view has expired. Load the page around it again to go on.";
  if (dashboard === null) bare(words);
  else notice.say(words);
  main.dataset["state"] = "error";
  sayDead();
}

function sayDead(): void {
  host.send({ type: "error", code: "TOKEN_INVALID", message: "The token is no longer good." });
}

/** Only words: nothing is on its way. */
function bare(words: string): void {
  notice.say(words);
  main.dataset["state"] = "error";
  region("filters").hidden = true;
  region("panels").replaceChildren();
}
