/**
 * How long a token still lives: says once that its end is near, and once that
 * it has come. The end is counted from what the server's clock said, because
 * the viewer's may be wrong by hours.
 */

/** The warning comes when a fifth of the life is left, at most so long before the end. */
const LONGEST_WARNING_MS = 60_000;
/** Timers may stand still while a machine sleeps: the clock is looked at again at least so often. */
const LOOK_MS = 15_000;

export interface Span {
  /** Milliseconds by the server's clock; `null` when unknown. */
  issuedAt: number | null;
  expiresAt: number;
  /** What the server's clock said just now; `null` when it did not. */
  servedAt: number | null;
}

export class Life {
  readonly #expiring: (seconds: number) => void;
  readonly #ended: () => void;
  #timer: number | undefined;
  /** Milliseconds by this machine's clock. */
  #warning: number | null = null;
  #end: number | null = null;

  constructor(expiring: (seconds: number) => void, ended: () => void) {
    this.#expiring = expiring;
    this.#ended = ended;
    // What a machine does when it wakes up, or a tab when it is shown again.
    addEventListener("pageshow", () => this.#look());
    document.addEventListener("visibilitychange", () => this.#look());
  }

  get isRunning(): boolean {
    return this.#end !== null;
  }

  start({ issuedAt, expiresAt, servedAt }: Span): void {
    const now = Date.now();
    const said = expiresAt - (servedAt ?? now);
    const whole = issuedAt === null ? said : expiresAt - issuedAt;
    // The server has just taken the token: one that seems to have ended tells that this clock is wrong.
    const left = said > 0 ? said : whole;
    this.#end = now + left;
    this.#warning = this.#end - Math.min(whole / 5, LONGEST_WARNING_MS);
    this.#look();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#end = null;
    this.#warning = null;
  }

  #look(): void {
    clearTimeout(this.#timer);
    if (this.#end === null) return;
    const now = Date.now();
    if (now >= this.#end) {
      this.stop();
      return this.#ended();
    }
    if (this.#warning !== null && now >= this.#warning) {
      this.#warning = null;
      this.#expiring(Math.ceil((this.#end - now) / 1000));
    }
    const next = this.#warning ?? this.#end;
    this.#timer = setTimeout(() => this.#look(), Math.min(next - now, LOOK_MS));
  }
}
