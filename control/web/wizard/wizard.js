/**
 * The wizard for embeds: lists dashboards, asks what viewers may do, previews,
 * and gives the code to paste. It calls the management interface of its own
 * origin with a key that it keeps in a variable and nowhere else.
 *
 * @typedef {{ name: string, filter_slug: string, label: string, kind: string, required: boolean }} Parameter
 * @typedef {{ label?: string, value: string | number | boolean }} Option
 * @typedef {{ slug: string, options?: { static?: Option[] } }} Filter
 * @typedef {{ id: string, title: string, slug: string, filters: Filter[] }} Dashboard
 * @typedef {{ enabled: boolean, generation: number, revoked_tokens: number, effective: string, parameters: Parameter[] }} State
 * @typedef {{ token: string, embed_url: string, html: string, jti: string, expires_at: string, effective: string }} Minted
 * @typedef {{ allowed_params: string[], required_params: string[], fixed_params: Record<string, unknown>, allowed_origins: string[], hide_header: boolean, hide_controls: boolean, theme: string, expires_in: number }} Settings
 * @typedef {{ element: HTMLElement, read: () => unknown }} ValueField
 * @typedef {{ parameter: Parameter, rule: HTMLSelectElement, value: ValueField }} Row
 */

const PREVIEW_LIFE_S = 600;
/** Joins the letters of a word into one preview. */
const SETTLE_MS = 500;
/** How often, a second apart, to ask whether the edge knows a dashboard. */
const TRIES = 10;

let key = "";
/** @type {Dashboard[]} */
let dashboards = [];
/** @type {Row[]} */
let rows = [];
/** The token that the snippets show. @type {{ dashboard: string, jti: string } | null} */
let made = null;
/** Counts previews and dashboards: an answer to an earlier one comes too late. */
let turn = 0;
/** @type {number | undefined} */
let settling;
let isPreviewing = false;

const keyForm = form("key-form");
const settings = form("settings");
const dashboardField = /** @type {HTMLSelectElement} */ (place("dashboard"));

keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  void busy(keyForm, connect);
});
settings.addEventListener("submit", (event) => {
  event.preventDefault();
  void busy(settings, create);
});
dashboardField.addEventListener("change", () => void choose());
settings.addEventListener("input", ({ target }) => {
  if (isPreviewing && target !== dashboardField) previewSoon();
});
place("preview-button").addEventListener("click", async () => {
  await preview();
  // On a narrow screen it stands far below.
  place("preview").scrollIntoView({ block: "nearest" });
});
place("revoke").addEventListener("click", () => void revoke());
addEventListener("message", heed);

async function connect() {
  complain([]);
  key = input("key").value.trim();
  try {
    dashboards = await listDashboards();
  } catch (cause) {
    const problem = wordsOf(cause);
    place("key-problem").textContent = problem;
    input("key").setAttribute("aria-invalid", "true");
    input("key").focus();
    return;
  }
  if (dashboards.length === 0) {
    place("key-problem").textContent = "Your organization has no dashboards yet.";
    return;
  }
  dashboardField.replaceChildren(...dashboards.map(({ id, title }) => element("option", { value: id }, title)));
  settings.hidden = false;
  say(`${dashboards.length} dashboards`);
  dashboardField.focus();
  await choose();
}

/** Follows the list to its end. @returns {Promise<Dashboard[]>} */
async function listDashboards() {
  const all = [];
  let cursor = "";
  do {
    const query = new URLSearchParams({ limit: "100", ...(cursor && { cursor }) });
    const page = await call("GET", `/api/v1/dashboards?${query}`);
    all.push(...page.records);
    cursor = page.next_cursor ?? "";
  } while (cursor !== "");
  return all;
}

/** Shows the parameters of the chosen dashboard. */
async function choose() {
  const mine = (turn += 1);
  stopPreview();
  complain([]);
  rows = [];
  place("parameter-list").replaceChildren();
  try {
    /** @type {State} */
    const state = await call("GET", `/api/v1/embed/dashboards/${dashboardField.value}`);
    if (mine !== turn) return;
    place("state").textContent = state.enabled
      ? `It can be embedded already: generation ${state.generation}, ${state.revoked_tokens} revoked tokens.`
      : "It is not embedded yet: the first preview or embed turns that on.";
    rows = state.parameters.map(parameterRow);
    place("parameters").hidden = rows.length === 0;
  } catch (cause) {
    if (mine === turn) refused(cause);
  }
}

/** What viewers may do with one parameter. @param {Parameter} parameter @returns {Row} */
function parameterRow(parameter) {
  const { name, label, kind, required } = parameter;
  const id = `parameter-${name}`;
  const rule = element(
    "select",
    { id, "aria-describedby": `${id}-problem` },
    element("option", { value: "closed" }, "may not set it"),
    element("option", { value: "allowed" }, "may set it"),
    element("option", { value: "required" }, "must set it"),
    element("option", { value: "fixed" }, "get this value:"),
  );
  // Closed at first: a parameter may be what keeps one customer from another's rows.
  rule.value = required ? "required" : "closed";
  const value = valueField(parameter);
  value.element.id = `${id}-value`;
  value.element.setAttribute("aria-label", `Value of ${name}`);
  value.element.setAttribute("aria-describedby", `${id}-problem`);
  value.element.hidden = true;
  const row = { parameter, rule, value };
  rule.addEventListener("change", () => {
    showValue(row);
    if (rule.value === "fixed") value.element.focus();
    pair(row);
  });
  place("parameter-list").append(
    element(
      "div",
      { class: "field parameter", "data-field": name },
      element("label", { for: id }, `${label} `, element("code", {}, name), element("span", { class: "hint" }, ` ${kind}`)),
      element("div", { class: "pair" }, rule, value.element),
      element("p", { class: "problem", id: `${id}-problem` }),
    ),
  );
  return row;
}

/** A value is asked for where it is fixed. @param {Row} row */
function showValue({ rule, value }) {
  value.element.hidden = rule.value !== "fixed";
}

/** The other end of a date range goes along: viewers may set both ends or none. @param {Row} changed */
function pair(changed) {
  /** @param {Row} row */
  const isFree = ({ rule }) => rule.value === "allowed" || rule.value === "required";
  for (const row of rows) {
    if (row.parameter.filter_slug !== changed.parameter.filter_slug || isFree(row) === isFree(changed)) continue;
    row.rule.value = isFree(changed) ? "allowed" : "closed";
    showValue(row);
  }
}

/** An input for one value of a parameter's kind. @param {Parameter} parameter @returns {ValueField} */
function valueField({ filter_slug: slug, kind }) {
  const filter = dashboards.find(({ id }) => id === dashboardField.value)?.filters.find((one) => one.slug === slug);
  const options = kind === "boolean" ? [{ label: "Yes", value: true }, { label: "No", value: false }] : filter?.options?.static;
  if (options) return choiceField(options, kind === "multi_select");
  if (kind === "multi_select") {
    const area = element("textarea", { rows: "2", spellcheck: "false", placeholder: "One value a line" });
    return { element: area, read: () => linesOf(area) };
  }
  const type = kind === "number" ? "number" : kind.startsWith("date") ? "date" : "text";
  const field = element("input", { type, autocomplete: "off", ...(type === "number" && { step: "any" }) });
  const number = () => (field.value === "" ? null : field.valueAsNumber);
  return { element: field, read: () => (type === "number" ? number() : field.value || null) };
}

/** @param {Option[]} options @param {boolean} many @returns {ValueField} */
function choiceField(options, many) {
  const names = options.map(({ label, value }, at) => element("option", { value: String(at) }, label ?? String(value)));
  const field = element("select", many ? { multiple: "" } : {}, ...names);
  const chosen = () => [...field.selectedOptions].map((option) => options[Number(option.value)]?.value);
  return { element: field, read: () => (many ? chosen() : (chosen()[0] ?? null)) };
}

/** The body of a call, as the form says. @returns {Settings} */
function read() {
  /** @param {string[]} rules */
  const named = (...rules) => rows.filter(({ rule }) => rules.includes(rule.value)).map(({ parameter }) => parameter.name);
  const fixed = rows.filter(({ rule }) => rule.value === "fixed");
  return {
    allowed_params: named("allowed", "required"),
    required_params: named("required"),
    fixed_params: Object.fromEntries(fixed.map(({ parameter, value }) => [parameter.name, value.read()])),
    allowed_origins: linesOf(/** @type {HTMLTextAreaElement} */ (place("origins"))),
    hide_header: input("hide-header").checked,
    hide_controls: input("hide-controls").checked,
    theme: /** @type {HTMLSelectElement} */ (place("theme")).value,
    // Not a number: the interface says best what is wrong with it.
    expires_in: input("life").valueAsNumber || 0,
  };
}

/** @param {Settings} body @returns {Promise<Minted>} */
function mint(body) {
  return call("POST", `/api/v1/embed/dashboards/${dashboardField.value}`, body);
}

async function create() {
  const body = read();
  const dashboard = dashboardField.value;
  try {
    const minted = await mint(body);
    complain([]);
    made = { dashboard, jti: minted.jti };
    place("jti").textContent = minted.jti;
    const expires = /** @type {HTMLTimeElement} */ (place("expires"));
    expires.dateTime = minted.expires_at;
    expires.textContent = new Date(minted.expires_at).toLocaleString();
    const revokeButton = /** @type {HTMLButtonElement} */ (place("revoke"));
    revokeButton.disabled = false;
    revokeButton.textContent = "Revoke this token";
    showSnippets(minted, dashboard, body);
    place("result").hidden = false;
    place("result-heading").focus();
    if (minted.effective === "pending") say("Saved. The edge will know it in a moment.");
  } catch (cause) {
    refused(cause, true);
  }
}

/** @param {Minted} minted @param {string} dashboard @param {Settings} body */
function showSnippets(minted, dashboard, body) {
  const { origin } = new URL(minted.embed_url);
  const title = dashboards.find(({ id }) => id === dashboard)?.title ?? "Dashboard";
  const custom = [
    `<script type="module" src="${origin}/embed.js"></script>`,
    `<postern-dashboard src="${escaped(minted.embed_url)}" title="${escaped(title)}"></postern-dashboard>`,
    `<!-- For views that outlast one token: token-provider="nameOfYourFunction" in place of src. -->`,
  ].join("\n");
  const curl = [
    `curl -s '${location.origin}/api/v1/embed/dashboards/${dashboard}' \\`,
    `  -H "Authorization: Bearer $POSTERN_API_KEY" -H 'Content-Type: application/json' \\`,
    `  -d '${JSON.stringify(body).replaceAll("'", "'\\''")}'`,
  ].join("\n");
  place("snippets").replaceChildren(
    snippet("Element", "As high as its content, and renews its token by your function.", custom),
    snippet("Frame", "Plain HTML, without a script.", minted.html),
    snippet("Call", "What your own server sends for a token of each viewer.", curl),
  );
}

/** @param {string} name @param {string} hint @param {string} code */
function snippet(name, hint, code) {
  const copy = element("button", { type: "button", "aria-label": `Copy ${name.toLowerCase()}` }, "Copy");
  const text = element("pre", { tabindex: "0", role: "region", "aria-label": name }, element("code", {}, code));
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code);
      say(`${name} copied`);
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 2000);
    } catch {
      // Only pages by HTTPS or of this machine may write there: the reader copies it by hand.
      getSelection()?.selectAllChildren(text);
    }
  });
  return element(
    "section",
    { class: "snippet" },
    element("div", { class: "snippet-head" }, element("h3", {}, name), copy),
    element("p", { class: "hint" }, hint),
    text,
  );
}

async function revoke() {
  if (!made) return;
  const button = /** @type {HTMLButtonElement} */ (place("revoke"));
  button.disabled = true;
  try {
    const { dashboard, jti } = made;
    await call("DELETE", `/api/v1/embed/dashboards/${dashboard}/tokens/${encodeURIComponent(jti)}`);
    button.textContent = "Revoked";
    say("The token is revoked");
  } catch (cause) {
    button.disabled = false;
    refused(cause);
  }
}

function previewSoon() {
  clearTimeout(settling);
  settling = setTimeout(() => void preview(), SETTLE_MS);
}

function stopPreview() {
  clearTimeout(settling);
  isPreviewing = false;
  place("preview").hidden = true;
  place("preview-place").replaceChildren();
}

/** Shows the embed as it would be, by a token that this page may frame. */
async function preview() {
  clearTimeout(settling);
  const mine = (turn += 1);
  const body = read();
  try {
    const minted = await mint({
      ...body,
      allowed_origins: [...new Set([...body.allowed_origins, location.origin])],
      expires_in: Math.min(body.expires_in, PREVIEW_LIFE_S),
    });
    if (minted.effective === "pending") await untilKnown();
    if (mine !== turn) return;
    complain([]);
    isPreviewing = true;
    const frame = element("iframe", {
      title: "Preview",
      src: minted.embed_url,
      referrerpolicy: "no-referrer",
      sandbox: "allow-scripts allow-same-origin allow-forms",
    });
    frame.addEventListener("load", () => {
      frame.contentWindow?.postMessage({ postern: 1, type: "hello" }, new URL(minted.embed_url).origin);
    });
    place("preview-place").replaceChildren(frame);
    place("preview").hidden = false;
    say("Preview");
  } catch (cause) {
    if (mine === turn) refused(cause);
  }
}

/** Waits until the edge has learnt that the dashboard may be embedded. */
async function untilKnown() {
  say("The edge is learning about it.");
  for (let count = 0; count < TRIES; count += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    /** @type {State} */
    const { effective } = await call("GET", `/api/v1/embed/dashboards/${dashboardField.value}`);
    if (effective === "live") return;
  }
}

/** What the previewed page says. @param {MessageEvent} event */
function heed({ source, origin, data }) {
  const frame = place("preview-place").querySelector("iframe");
  if (!frame || source !== frame.contentWindow || origin !== new URL(frame.src).origin || data?.postern !== 1) return;
  if (data.type === "height" && data.height > 0) frame.style.height = `${data.height}px`;
  if (data.type === "token-expiring") void preview();
}

/** A refusal, in the interface's words. */
class Refusal extends Error {
  /** @param {string} message @param {{ instancePath: string, message: string }[]} errors */
  constructor(message, errors) {
    super(message);
    this.errors = errors;
  }
}

/** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
async function call(method, path, body) {
  const response = await fetch(path, {
    method,
    credentials: "omit",
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { "content-type": "application/json" }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => null);
  if (!response) throw new Refusal("The control plane can’t be reached.", []);
  const answer = await response.json().catch(() => null);
  if (response.ok) return answer;
  throw new Refusal(answer?.error ?? `The control plane answered ${response.status}.`, answer?.errors ?? []);
}

/** @param {unknown} cause */
function wordsOf(cause) {
  if (cause instanceof Refusal) return cause.message;
  console.error(cause);
  return "This page has a fault.";
}

/** Says what was wrong, each thing at its field. @param {unknown} cause @param {boolean} [goes] whether the focus goes there */
function refused(cause, goes = false) {
  const words = wordsOf(cause);
  const others = complain(cause instanceof Refusal ? cause.errors : []);
  const hasFields = cause instanceof Refusal && cause.errors.length > others.length;
  place("problem").textContent = [hasFields ? "" : words, ...others].filter(Boolean).join(" ");
  if (!goes) return;
  const first = settings.querySelector("[aria-invalid]");
  if (first instanceof HTMLElement) first.focus();
}

/**
 * Puts each error at its field, in place of earlier ones; gives the words of those that have none here.
 * @param {{ instancePath: string, message: string }[]} errors
 */
function complain(errors) {
  place("problem").textContent = "";
  place("key-problem").textContent = "";
  for (const field of document.querySelectorAll("[data-field]")) {
    const problem = field.querySelector(".problem");
    if (problem) problem.textContent = "";
    for (const invalid of field.querySelectorAll("[aria-invalid]")) invalid.removeAttribute("aria-invalid");
  }
  const others = [];
  for (const { instancePath, message } of errors) {
    const field = fieldOf(instancePath);
    const problem = field?.querySelector(".problem");
    if (!field || !problem) {
      others.push(`${instancePath}: ${message}`);
      continue;
    }
    const line = instancePath.startsWith("/allowed_origins/") ? `Line ${Number(instancePath.split("/")[2]) + 1}: ` : "";
    problem.textContent = `${problem.textContent} ${line}${message}`.trim();
    // Of rule and value it is the value, if one is asked for.
    [...field.querySelectorAll(":is(input, select, textarea):not([hidden])")].at(-1)?.setAttribute("aria-invalid", "true");
  }
  return others;
}

/** The field that a JSON pointer into the body means. @param {string} pointer */
function fieldOf(pointer) {
  const [, first = "", second = ""] = pointer.split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const body = read();
  const name =
    first === "fixed_params"
      ? second
      : first === "allowed_params" || first === "required_params"
        ? body[first][Number(second)]
        : first;
  return name ? document.querySelector(`[data-field="${CSS.escape(name)}"]`) : null;
}

/** Runs one thing of a form at a time. @param {HTMLFormElement} form @param {() => Promise<void>} work */
async function busy(form, work) {
  if (form.getAttribute("aria-busy") === "true") return;
  form.setAttribute("aria-busy", "true");
  await work();
  form.removeAttribute("aria-busy");
}

/** Tells those who can't see the page. @param {string} words */
function say(words) {
  place("status").textContent = words;
}

/** @param {HTMLTextAreaElement} area */
function linesOf(area) {
  return area.value.split("\n").map((line) => line.trim()).filter(Boolean);
}

/** @param {string} text */
function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}

/**
 * Makes an element; text stays text.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {string} id */
function place(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** @param {string} id */
function input(id) {
  return /** @type {HTMLInputElement} */ (place(id));
}

/** @param {string} id */
function form(id) {
  return /** @type {HTMLFormElement} */ (place(id));
}
