/** Tells how high the content is, so that the page around needs no second scroll bar. */

export function watchHeight(report: (height: number) => void): void {
  let told = 0;
  // The body grows with its content alone; the root element is never lower than the frame.
  new ResizeObserver(() => {
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height === told) return;
    told = height;
    report(height);
  }).observe(document.body);
}
