/** How long to wait before another try, in words; the server names the seconds, or does not. */
export function wait(seconds: number | null): string {
  if (seconds === null) return "Try again later.";
  if (seconds <= 90) return `Try again in ${seconds} ${seconds === 1 ? "second" : "seconds"}.`;
  const minutes = Math.ceil(seconds / 60);
  return minutes <= 90 ? `Try again in ${minutes} minutes.` : `Try again in ${Math.ceil(minutes / 60)} hours.`;
}
