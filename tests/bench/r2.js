// R2 as its binding speaks to it: one archive, whatever it is called, of which parts are read.

import archive from "archive.pmtiles";

const bytes = new Uint8Array(archive);
const encoder = new TextEncoder();
const STORED = {
  name: "archive",
  version: "1",
  size: String(bytes.length),
  etag: "stored",
  uploaded: "1760000000000",
  httpFields: {},
  customFields: [],
};

export default {
  fetch(request) {
    const { method, range, onlyIf } = JSON.parse(request.headers.get("cf-r2-request"));
    if (method !== "get" || range === undefined) return new Response(null, { status: 400 });
    const [offset, length] = [Number(range.offset), Number(range.length)];
    const fits = onlyIf?.etagMatches?.every(({ value }) => value === STORED.etag) ?? true;
    const part = fits ? bytes.subarray(offset, offset + length) : bytes.subarray(0, 0);
    const told = { ...STORED, ...(fits && { range: { offset, length: part.length } }) };
    const metadata = encoder.encode(JSON.stringify(told));
    const body = new Uint8Array(metadata.length + part.length);
    body.set(metadata);
    body.set(part, metadata.length);
    return new Response(body, { headers: { "cf-r2-metadata-size": String(metadata.length) } });
  },
};
