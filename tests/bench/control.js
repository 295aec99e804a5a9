// The control plane's answers that the Worker needs while it is measured.

const EXECUTED = JSON.stringify({
  panels: [
    {
      id: "days",
      columns: [{ name: "day", type: "text" }, { name: "count", type: "integer" }],
      rows: Array.from({ length: 200 }, (_, at) => [`2026-01-${(at % 28) + 1}`, at]),
      truncated: false,
    },
  ],
  generated_at: "2026-01-01T00:00:00Z",
});

export default {
  fetch(request) {
    const { pathname } = new URL(request.url);
    const headers = { "content-type": "application/json", "x-postern-cacheable": "1" };
    if (pathname === "/internal/data/execute") return new Response(EXECUTED, { headers });
    if (pathname === "/internal/usage") return new Response("{}", { headers });
    return new Response("{}", { status: 404, headers });
  },
};
