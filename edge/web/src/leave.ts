import { h } from "./dom";

/**
 * The link is dead: the server says so best, with its one page for every dead
 * link. Only when this load already was a reload do the words stand here, so
 * that a page and an interface of different minds can't reload for ever.
 */
export function leave(): void {
  const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  if (navigation?.type !== "reload") return location.reload();
  document.title = "This link doesn’t open anything";
  document.body.replaceChildren(
    h(
      "main",
      { class: "lone" },
      h("h1", {}, document.title),
      h("p", {}, "It may have expired or been replaced. Ask the person who sent it for a new one."),
    ),
  );
}
