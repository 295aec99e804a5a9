/**
 * The portal: people who were invited sign in by a code from their mail, and see the dashboards that are
 * shared with them. The shell is the same for every company; what is in it is decided here. Start reading
 * here.
 */

import { Dashboard } from "./dashboard";
import { region } from "./dom";
import { expiry, freshness } from "./footer";
import { inWords, Notice } from "./notice";
import { PortalApi } from "./portal/api";
import { Door } from "./portal/door";
import { list } from "./portal/list";
import { companyFrom, type Place, placeFrom } from "./portal/place";
import { isRefused, Session } from "./portal/session";

const ENDED = "You are signed out: your sign-in has ended, or you were taken off the list.";
const GONE = "That dashboard is no longer shared with you.";
/** What the server says of a dashboard, or a context, that the person has no part in. */
const NOT_THEIRS = ["TOKEN_INVALID", "INVALID_CONTEXT_ID", "NOT_FOUND"];

const company = companyFrom(location.pathname);
const main = region("main");
const waiting = region("waiting") as HTMLTemplateElement;
const notice = new Notice(region("notice"));
const session = new Session(company, { ended: () => out(ENDED), changed: () => void enter() });
const api = new PortalApi(company, session);
const door = new Door(session, () => show());
let dashboard: Dashboard | null = null;
/** Counts what was shown: answers for an earlier view come too late. */
let view = 0;

addEventListener("popstate", () => {
  if (session.isIn) show();
});
region("sign-out").addEventListener("click", () => void leave());
void enter();

/** Whoever is signed in goes on; everybody else stands before the door. */
async function enter(): Promise<void> {
  const mine = clear();
  try {
    if (await session.resume()) show();
    else if (mine === view) out("");
  } catch (cause) {
    if (mine !== view) return;
    // Nobody knows yet whether somebody is signed in.
    inside();
    head("Shared dashboards", null, null);
    fail(cause, () => void enter());
  }
}

async function leave(): Promise<void> {
  try {
    await session.leave();
    out("You are signed out.");
  } catch (cause) {
    notice.show(inWords(cause), () => void leave());
  }
}

function out(why: string): void {
  clear();
  region("inside").hidden = true;
  door.open(why);
}

function inside(): void {
  region("inside").hidden = false;
  door.close();
}

/** What the address says. */
function show(): void {
  const isFirst = region("inside").hidden && region("door").hidden;
  const mine = clear();
  inside();
  const place = placeFrom(location.hash);
  if (place === null) void showList(mine);
  else void showDashboard(place, mine);
  // Whose view has changed must hear so; a page that was just loaded is read anyway.
  if (!isFirst) region("title").focus();
}

/** Takes away what stands there; answers the number of what comes next. */
function clear(): number {
  dashboard?.close();
  dashboard = null;
  notice.clear();
  for (const id of ["filters", "panels", "list", "freshness"]) region(id).replaceChildren();
  region("filters").hidden = true;
  return (view += 1);
}

async function showList(mine: number): Promise<void> {
  history.replaceState(null, "", location.pathname);
  head("Shared dashboards", null, null);
  wait("list");
  try {
    const listing = await api.dashboards();
    if (mine !== view) return;
    region("list").replaceChildren(...list(listing));
    const { length } = listing.records;
    region("live").textContent = `${length} ${length === 1 ? "dashboard" : "dashboards"}`;
    main.dataset["state"] = "ready";
  } catch (cause) {
    if (mine !== view) return;
    // A fresh token was refused as well.
    if (isRefused(cause)) out(ENDED);
    else fail(cause, () => show());
  }
}

async function showDashboard(place: Place, mine: number): Promise<void> {
  head("Dashboard", session.contextName(place.contextId), null);
  region("all").hidden = false;
  wait("panels");
  const theirs = api.dashboard(place.contextId, place.slug);
  const failed = (cause: unknown, retry: () => void): void => {
    if (mine !== view) return;
    if (NOT_THEIRS.includes(inWords(cause).code)) gone();
    else fail(cause, retry);
  };
  try {
    const resolved = await theirs.resolve();
    if (mine !== view) return;
    const { name, description } = resolved.dashboard;
    head(name, session.contextName(place.contextId), description ?? null);
    dashboard = new Dashboard(resolved, {
      api: theirs,
      notice,
      showsFilters: true,
      settled: (executed) => {
        if (!executed) return;
        const until = expiry(resolved.share.expires_at, "Shared until");
        region("freshness").replaceChildren(...freshness(executed), ...until);
      },
      failed,
      changed: () => {},
    });
    await dashboard.run();
  } catch (cause) {
    failed(cause, () => show());
  }
}

/** Back to the list, which tells what there still is. */
function gone(): void {
  history.replaceState(null, "", location.pathname);
  show();
  notice.say(GONE);
}

function head(title: string, context: string | null, description: string | null): void {
  document.title = title;
  region("title").textContent = title;
  for (const [id, words] of [["context", context], ["description", description]] as const) {
    region(id).textContent = words;
    region(id).hidden = words === null;
  }
  region("all").hidden = placeFrom(location.hash) === null;
}

function wait(id: "list" | "panels"): void {
  main.dataset["state"] = "loading";
  region(id).replaceChildren(waiting.content.cloneNode(true));
}

function fail(cause: unknown, retry: () => void): void {
  main.dataset["state"] = "error";
  // Nothing is on its way.
  if (dashboard === null) for (const id of ["panels", "list"]) region(id).replaceChildren();
  notice.show(inWords(cause), retry);
}
