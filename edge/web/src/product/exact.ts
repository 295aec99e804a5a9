/**
 * Whole numbers with all their digits. Numbers of a script lose some beyond 2^53, and long numbers are names of things more often
 * than not: one wrong digit makes another name. Browsers that do not tell how a number was written show what they can.
 */

/** What JSON says; a whole number that no script's number holds is a `bigint`. */
export function parseExactly<T>(text: string): T {
  return JSON.parse(text, (_, value: unknown, context?: { source?: string }) => {
    if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
    const source = context?.source ?? "";
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  }) as T;
}

/** JSON of what {@link parseExactly} gave. */
export function writeExactly(value: unknown): string {
  // Where there is such a number, there is this function.
  const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? rawJSON(String(part)) : part));
}
