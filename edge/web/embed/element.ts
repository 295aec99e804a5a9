/**
 * `<postern-dashboard>`, for pages around an embed: a frame that is as high as
 * its content, with filters and events of the host page's own, and with a fresh
 * token whenever the last one is about to end. Start reading here; the other
 * side of the conversation is `src/embed/host.ts`.
 *
 * A frame that answers gets its next token as a message, and goes on as it
 * stands. One that does not (a network that was away, a page that could not be
 * shown) is made anew, ever more slowly.
 */

import { addressOf, frameUrl, type Address } from "./address";
import { Backoff } from "./backoff";
import type { DashboardProperties, Params, TokenProvider } from "./embed";
import { isObject, isOurs, isTheme, sealed, type ToFrame } from "./protocol";

const NAME = "postern-dashboard";
/** Where this script came from is where Postern is. */
const HOME = new URL(import.meta.url).origin;
/** No form is ever sent, but a browser that may not would complain at each Enter in a filter. */
const SANDBOX = "allow-scripts allow-same-origin allow-forms allow-popups allow-downloads";
/** A frame that has loaded and says nothing for so long shows something else. */
const ANSWER_MS = 15_000;
/** A provider that takes longer has failed. */
const PROVIDER_MS = 30_000;

const style = new CSSStyleSheet();
style.replaceSync(":host{display:block}iframe{display:block;width:100%;height:30rem;border:0}");

export class PosternDashboard extends HTMLElement implements DashboardProperties {
  static readonly observedAttributes = ["src", "token", "origin", "token-provider", "params", "theme", "title"];

  readonly #root = this.attachShadow({ mode: "open" });
  readonly #backoff = new Backoff();
  #provider: TokenProvider | null = null;
  #params: Params = {};
  #frame: HTMLIFrameElement | null = null;
  #origin = "";
  /** Before it has loaded, a frame is of another origin than its address says. */
  #hasLoaded = false;
  #hasAnswered = false;
  #answerTimer: number | undefined;
  /** The try that is under way or waits for its time. */
  #renewal: AbortController | null = null;
  /** The end of the token that the frame spoke of last. */
  #expiresAt = "";

  constructor() {
    super();
    this.#root.adoptedStyleSheets = [style];
  }

  get tokenProvider(): TokenProvider | null {
    return this.#provider;
  }

  set tokenProvider(provider: TokenProvider | null) {
    this.#provider = provider;
    this.#begin();
  }

  get params(): Params {
    return this.#params;
  }

  set params(params: Params) {
    this.#params = { ...this.#params, ...params };
    this.#say({ type: "params", params });
  }

  connectedCallback(): void {
    // Set before this class was known, they hide its accessors.
    for (const name of ["tokenProvider", "params"] as const) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete (this as Partial<DashboardProperties>)[name];
      Object.assign(this, { [name]: value });
    }
    addEventListener("message", this.#receive);
    this.#begin();
  }

  disconnectedCallback(): void {
    removeEventListener("message", this.#receive);
    this.#renewal?.abort();
    this.#renewal = null;
    this.#leave();
  }

  attributeChangedCallback(name: string, _: string | null, value: string | null): void {
    if (name === "params") this.#readParams(value ?? "{}");
    else if (name === "title") this.#name();
    else if (name === "theme") this.#dress();
    else this.#begin();
  }

  /** Where the token comes from has changed: ask there, at once. */
  #begin(): void {
    if (!this.isConnected) return;
    this.#backoff.reset();
    this.#renewal?.abort();
    this.#renewal = null;
    if (this.#source() !== null) this.#renew();
  }

  /** What gives the address; `null` while nothing is said. */
  #source(): (() => unknown) | null {
    const name = this.getAttribute("token-provider");
    const given = this.getAttribute("src") ?? this.getAttribute("token");
    if (this.#provider) return this.#provider;
    // Looked up when it is called: its script may come later.
    if (name) return () => (globalThis as unknown as Record<string, () => unknown>)[name]?.();
    return given ? () => given : null;
  }

  #renew(): void {
    if (this.#renewal) return;
    const { signal } = (this.#renewal = new AbortController());
    setTimeout(() => void this.#try(signal), this.#backoff.next());
  }

  async #try(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    try {
      const given = await Promise.race([this.#source()?.(), tooLong()]);
      if (signal.aborted) return;
      this.#renewal = null;
      this.#use(addressOf(given, this.getAttribute("origin") ?? HOME));
    } catch (cause) {
      if (signal.aborted) return;
      this.#renewal = null;
      this.#fail("TOKEN_PROVIDER_FAILED", `No token: ${cause instanceof Error ? cause.message : String(cause)}`);
      this.#renew();
    }
  }

  #use(address: Address): void {
    if (this.#hasAnswered && address.origin === this.#origin) this.#say({ type: "token", token: address.token });
    else this.#open(address);
  }

  /** A new frame each time: another address in the old one would be a step of the viewer's "back". */
  #open(address: Address): void {
    const height = this.#frame?.style.height ?? "";
    this.#leave();
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", SANDBOX);
    frame.referrerPolicy = "no-referrer";
    if (this.getAttribute("loading") === "lazy") frame.loading = "lazy";
    frame.style.height = height;
    frame.src = frameUrl(address, this.#params);
    frame.addEventListener("load", () => this.#greet());
    this.#origin = address.origin;
    this.#frame = frame;
    this.#name();
    this.#root.append(frame);
  }

  #leave(): void {
    clearTimeout(this.#answerTimer);
    this.#hasLoaded = false;
    this.#hasAnswered = false;
    this.#frame?.remove();
    this.#frame = null;
  }

  #greet(): void {
    this.#hasLoaded = true;
    this.#hasAnswered = false;
    clearTimeout(this.#answerTimer);
    this.#answerTimer = setTimeout(() => {
      this.#fail("NO_ANSWER", `${this.#origin} did not answer. May it be framed by ${location.origin}?`);
      this.#renew();
    }, ANSWER_MS);
    this.#say({ type: "hello" });
    // Those that were set while it was loading.
    this.#say({ type: "params", params: this.#params });
    this.#dress();
  }

  readonly #receive = ({ source, origin, data }: MessageEvent): void => {
    const isFromFrame = source !== null && source === this.#frame?.contentWindow && origin === this.#origin;
    if (!isFromFrame || !isOurs(data)) return;
    clearTimeout(this.#answerTimer);
    this.#hasAnswered = true;
    const { postern: _, type, ...detail } = data as Record<string, unknown>;
    if (type === "height") this.#resize(detail["height"]);
    else if (type === "ready") this.#backoff.reset();
    else if (type === "params" && isObject(detail["params"])) this.#params = detail["params"] as Params;
    else if (type === "token-expiring") this.#expiring(String(detail["expires_at"]));
    else if (type === "error" && detail["code"] === "TOKEN_INVALID") this.#ended();
    if (type !== "height") this.#tell(String(type), type === "ready" ? null : detail);
  };

  #resize(height: unknown): void {
    if (this.#frame && typeof height === "number" && height > 0) this.#frame.style.height = `${height}px`;
  }

  #expiring(expiresAt: string): void {
    // The last renewal has helped: the frame speaks of another token.
    if (expiresAt !== this.#expiresAt) this.#backoff.reset();
    this.#expiresAt = expiresAt;
    this.#ended();
  }

  /** Only a provider has another token than the one that ends. */
  #ended(): void {
    if (this.#provider || this.hasAttribute("token-provider")) this.#renew();
  }

  #readParams(json: string): void {
    try {
      const params: unknown = JSON.parse(json);
      if (!isObject(params)) throw new Error("not an object");
      this.params = params as Params;
    } catch (cause) {
      this.#fail("PARAMS_INVALID", `The attribute params: ${String(cause)}`);
    }
  }

  #name(): void {
    if (this.#frame) this.#frame.title = this.title || "Dashboard";
  }

  #dress(): void {
    const theme = this.getAttribute("theme");
    if (isTheme(theme)) this.#say({ type: "theme", theme });
  }

  #say(message: ToFrame): void {
    if (this.#hasLoaded) this.#frame?.contentWindow?.postMessage(sealed(message), this.#origin);
  }

  #fail(code: string, message: string): void {
    this.#tell("error", { code, message });
  }

  #tell(type: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }
}

function tooLong(): Promise<never> {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("the provider did not answer")), PROVIDER_MS);
  });
}

if (!customElements.get(NAME)) customElements.define(NAME, PosternDashboard);
