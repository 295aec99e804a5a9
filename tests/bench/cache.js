// The platform's cache as `caches` speaks to it: it takes everything and never has anything.

export default {
  async fetch(request) {
    if (request.method !== "PUT") return new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
    await request.arrayBuffer();
    return new Response(null, { status: 204 });
  },
};
