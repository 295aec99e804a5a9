/**
 * Types of `embed.js`, which defines `<postern-dashboard>`: a dashboard in a
 * frame that is as high as its content and keeps its token fresh.
 *
 * Attributes: `src` (an `embed_url`) or `token`; `origin` (where Postern is, if
 * not where `embed.js` came from); `token-provider` (name of a global function);
 * `params` (a JSON object); `theme`; `title` and `loading` (of the frame).
 */

/** Values of filters by the names of their parameters; `null` is "no value". */
export type Params = Record<string, string | number | boolean | (string | number | boolean)[] | null>;

export type Theme = "light" | "dark" | "auto";

/** A token, an `embed_url`, or the answer of a call that made either. */
export type Embed = string | { token: string } | { embed_url: string };

/** Asks your own server for a token; called at first and before each token's end, and again when it fails. */
export type TokenProvider = () => Embed | Promise<Embed>;

export interface DashboardProperties {
  /** Goes before the attributes `token-provider`, `src` and `token`. */
  tokenProvider: TokenProvider | null;
  /** As the viewer has set them; setting some leaves the others as they are. */
  params: Params;
}

/** Events of the element; all bubble, also out of shadow trees. */
export interface DashboardEventMap {
  /** The dashboard can be seen. */
  ready: CustomEvent<null>;
  /** The viewer has changed a filter. */
  params: CustomEvent<{ params: Params }>;
  /**
   * Something failed. `code` is the server's `error_code`, or one of the element's own:
   * `NO_ANSWER` (not reached, or this site may not frame it), `TOKEN_PROVIDER_FAILED`, `PARAMS_INVALID`.
   */
  error: CustomEvent<{ code: string; message: string }>;
  /** The token is about to end; a provider is asked for another. */
  "token-expiring": CustomEvent<{ expires_at: string; seconds: number }>;
}

export declare class PosternDashboard extends HTMLElement implements DashboardProperties {
  tokenProvider: TokenProvider | null;
  params: Params;
  addEventListener<K extends keyof DashboardEventMap>(
    type: K,
    listener: (this: PosternDashboard, event: DashboardEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof DashboardEventMap>(
    type: K,
    listener: (this: PosternDashboard, event: DashboardEventMap[K]) => unknown,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "postern-dashboard": PosternDashboard;
  }
}
