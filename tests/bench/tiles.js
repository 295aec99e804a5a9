// What the Worker of protomaps does, whose library this is: it asks the platform's cache, has the library find a tile and inflate
// it, keeps it in the cache, and answers. With `?stored` the tile is sent with gzip as it is stored, and no cache is asked: what
// Postern does too, but for the access check.

import { Compression, EtagMismatch, PMTiles, ResolvedValueCache } from "pmtiles";

const directories = new ResolvedValueCache(25, undefined, inflate);
const HEADERS = { "content-type": "application/x-protobuf", "cache-control": "public, max-age=86400", vary: "Origin" };
const PACKED = new Headers({ ...HEADERS, "content-encoding": "gzip", vary: "Accept-Encoding" });

export default {
  async fetch(request, env, context) {
    const { pathname, search } = new URL(request.url);
    const [, name, z, x, y] = /^\/([\w-]+)\/(\d+)\/(\d+)\/(\d+)\.mvt$/.exec(pathname) ?? [];
    if (name === undefined) return new Response("no tile", { status: 404 });
    const place = [Number(z), Number(x), Number(y)];
    return search === "?stored" ? stored(env, name, place) : inflated(request, env, context, name, place);
  },
};

async function inflated(request, env, context, name, place) {
  const known = await caches.default.match(request.url);
  if (known !== undefined) return new Response(known.body, known);
  const archive = new PMTiles(new Bucket(env.TILES, name), directories, inflate);
  const { minZoom, maxZoom } = await archive.getHeader();
  if (place[0] < minZoom || place[0] > maxZoom) return new Response(null, { status: 404 });
  const tile = await archive.getZxy(...place);
  const answer = () => new Response(tile?.data, { status: tile === undefined ? 204 : 200, headers: new Headers(HEADERS) });
  context.waitUntil(caches.default.put(request.url, answer()));
  return answer();
}

async function stored(env, name, place) {
  const archive = new PMTiles(new Bucket(env.TILES, name), directories, (bytes) => bytes);
  const tile = await archive.getZxy(...place);
  if (tile === undefined) return new Response(null, { status: 204 });
  return new Response(tile.data, { headers: PACKED, encodeBody: "manual" });
}

async function inflate(bytes, compression) {
  if (compression !== Compression.Gzip) return bytes;
  return new Response(new Response(bytes).body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

class Bucket {
  constructor(bucket, name) {
    this.bucket = bucket;
    this.name = name;
  }

  getKey() {
    return this.name;
  }

  async getBytes(offset, length, _signal, etag) {
    const onlyIf = etag === undefined ? undefined : { etagMatches: etag };
    const object = await this.bucket.get(`${this.name}.pmtiles`, { range: { offset, length }, onlyIf });
    if (object?.body === undefined) throw new EtagMismatch();
    return { data: await object.arrayBuffer(), etag: object.etag };
  }
}
