/**
 * Who is signed in. The access token lives here and nowhere else; the cookie that gives the next one is
 * out of every script's reach. Tokens are fetched anew before they end, when a machine or a tab wakes up,
 * and when the server refuses one.
 *
 * Tabs share the cookie, and each use of it changes it: one tab at a time does so. They tell one another
 * who came and who left.
 */

import { ApiError, call, post, read } from "../api";
import { Life } from "../life";

/** A call that hangs must not hold up the other tabs. */
const LONGEST_CALL_MS = 15_000;

export interface Context {
  id: string;
  name: string;
}

/** What the server gives to whoever may come in; `expires_in` in seconds. */
interface Admission {
  access_token: string;
  expires_in: number;
  contexts: Context[];
}

/** What the page does about it. */
export interface Listener {
  /** The server knows this person no longer. */
  ended(): void;
  /** Another tab has signed somebody in or out. */
  changed(): void;
}

export class Session {
  readonly #slug: string;
  readonly #listener: Listener;
  readonly #life: Life;
  readonly #others: BroadcastChannel;
  #token: string | null = null;
  #contexts: Context[] = [];
  #isIn = false;
  #refreshing: Promise<void> | null = null;

  constructor(slug: string, listener: Listener) {
    this.#slug = slug;
    this.#listener = listener;
    this.#life = new Life(
      () => this.#refreshQuietly(),
      () => {
        this.#token = null;
        this.#refreshQuietly();
      },
    );
    this.#others = new BroadcastChannel(this.#name);
    this.#others.addEventListener("message", () => {
      this.#forget();
      listener.changed();
    });
    document.addEventListener("visibilitychange", () => {
      if (this.#isIn && this.#token === null) this.#refreshQuietly();
    });
  }

  get isIn(): boolean {
    return this.#isIn;
  }

  /** The name of one of the person's contexts; `null` for any other. */
  contextName(id: string): string | null {
    return this.#contexts.find((context) => context.id === id)?.name ?? null;
  }

  /** Goes on with what an earlier visit left; `false` when that was nothing. */
  async resume(): Promise<boolean> {
    try {
      await this.#refresh();
      return true;
    } catch (cause) {
      if (isRefused(cause)) return false;
      throw cause;
    }
  }

  /** Has a code sent, if the address is invited: the answer is the same for all. */
  async request(email: string): Promise<void> {
    await call("/api/v1/share-auth/request", post({ company_slug: this.#slug, email }));
  }

  async verify(email: string, code: string): Promise<void> {
    await this.#alone(() => this.#admit("verify", { email, code, keep: "cookie" }));
    this.#others.postMessage("in");
  }

  async leave(): Promise<void> {
    await this.#alone(() =>
      call("/api/v1/share-auth/logout", { ...post({ company_slug: this.#slug }), ...limited() }),
    );
    this.#forget();
    this.#others.postMessage("out");
  }

  /** Calls in the person's name. A token that is refused, or that knows nothing of a context, is worth one fresh one, and no more. */
  async call(path: string, init: RequestInit): Promise<Response> {
    if (this.#token === null) await this.#refresh();
    const used = this.#token;
    try {
      return await call(path, this.#signed(init));
    } catch (cause) {
      if (!isRefused(cause) && !isElsewhere(cause)) throw cause;
      // Unless a call beside this one has got another meanwhile.
      if (this.#token === used) await this.#refresh();
      return call(path, this.#signed(init));
    }
  }

  #signed(init: RequestInit): RequestInit {
    // Bearer tokens only: the cookie is for the calls that change it.
    const headers = { ...init.headers, authorization: `Bearer ${this.#token ?? ""}` };
    return { ...init, headers, credentials: "omit" };
  }

  /** Also for many callers at once a single call. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#alone(() => this.#admit("refresh", {}))
      .catch((cause: unknown) => {
        const wasIn = this.#isIn;
        if (isRefused(cause)) {
          this.#forget();
          if (wasIn) this.#listener.ended();
        }
        throw cause;
      })
      .finally(() => {
        this.#refreshing = null;
      });
    return this.#refreshing;
  }

  /** Should it fail, the person's next step tries again, and says why it can't be made. */
  #refreshQuietly(): void {
    // Nobody looks: it is time enough when somebody does.
    if (!document.hidden) this.#refresh().catch(() => {});
  }

  async #admit(verb: "verify" | "refresh", said: Record<string, string>): Promise<void> {
    const admission = await read<Admission>(`/api/v1/share-auth/${verb}`, {
      ...post({ company_slug: this.#slug, ...said }),
      ...limited(),
      // A page that is left meanwhile must not lose the cookie that comes with the answer.
      keepalive: true,
    });
    this.#token = admission.access_token;
    this.#contexts = admission.contexts;
    this.#isIn = true;
    this.#life.start({ issuedAt: 0, servedAt: 0, expiresAt: admission.expires_in * 1000 });
  }

  #forget(): void {
    this.#life.stop();
    this.#token = null;
    this.#contexts = [];
    this.#isIn = false;
  }

  /** Runs while no other tab changes the cookie. Browsers without locks are taken to have one tab. */
  async #alone<T>(run: () => Promise<T>): Promise<T> {
    return "locks" in navigator ? await navigator.locks.request(this.#name, run) : run();
  }

  get #name(): string {
    return `postern-portal-${this.#slug}`;
  }
}

/** Whether the server does not know the token, the cookie or the code. */
export function isRefused(cause: unknown): boolean {
  return cause instanceof ApiError && cause.code === "TOKEN_INVALID";
}

/** Whether the token does not say that the person is in the context: they may have been invited since. */
function isElsewhere(cause: unknown): boolean {
  return cause instanceof ApiError && cause.code === "INVALID_CONTEXT_ID";
}

function limited(): RequestInit {
  return { signal: AbortSignal.timeout(LONGEST_CALL_MS) };
}
