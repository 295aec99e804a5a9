// The least that a tile costs: `?offset-length` names its bytes, which are passed on as they come from R2.

const HEADERS = new Headers({ "content-type": "application/vnd.mapbox-vector-tile", "content-encoding": "gzip" });

export default {
  async fetch({ url }, env) {
    const [offset, length] = url.slice(url.indexOf("?") + 1).split("-").map(Number);
    const part = await env.TILES.get("archive", { range: { offset, length } });
    return new Response(part.body, { headers: HEADERS, encodeBody: "manual" });
  },
};
