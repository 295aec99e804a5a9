// The JavaScript side of bucket.rs.

import { within } from "./runtime.js";

const NOTHING = new Uint8Array(0);

/** Length and entity tag of an object of a bucket, as one text, or null. */
export async function statObject(bucket, key) {
  const object = await bucket.head(key);
  return object === null ? null : `${object.size} ${object.etag}`;
}

/** Part of an object as bytes, or null when there is none under this key and tag, or nothing at this place. */
export function readObject(bucket, key, etag, offset, length, limit) {
  return within(limit, readRange(bucket, key, etag, offset, length));
}

async function readRange(bucket, key, etag, offset, length) {
  const onlyIf = etag === undefined ? undefined : { etagMatches: etag };
  let object;
  try {
    object = await bucket.get(key, { range: { offset, length }, onlyIf });
  } catch (error) {
    // 10039: the range lies behind the object's end.
    if (String(error).includes("10039")) return NOTHING;
    throw error;
  }
  if (object === null || object.body === undefined) return null;
  return new Uint8Array(await object.arrayBuffer());
}

/** Uploads in parts: each step of one, by the bucket's name of it. */
export async function beginUpload(bucket, key) {
  return (await bucket.createMultipartUpload(key, { httpMetadata: { contentType: "application/vnd.pmtiles" } })).uploadId;
}

export async function putPart(bucket, key, upload, number, part) {
  return (await bucket.resumeMultipartUpload(key, upload).uploadPart(number, part.slice())).etag;
}

export async function endUpload(bucket, key, upload, parts) {
  const told = JSON.parse(parts).map(({ number, etag }) => ({ partNumber: number, etag }));
  await bucket.resumeMultipartUpload(key, upload).complete(told);
}

export async function abortUpload(bucket, key, upload) {
  await bucket.resumeMultipartUpload(key, upload).abort();
}

export async function deleteObject(bucket, key) {
  await bucket.delete(key);
}

/** An object under its tag, or a part of it, as a stream to be passed on; null when there is none under this key and tag. */
export function openObject(bucket, key, etag, offset, length, limit) {
  return within(limit, openRange(bucket, key, etag, { offset, length }));
}

async function openRange(bucket, key, etag, range) {
  const object = await bucket.get(key, { range, onlyIf: { etagMatches: etag } });
  return object?.body ?? null;
}

/**
 * A stream of `length` bytes that can be ended early: the stream that is passed on, a promise that settles when nothing flows any
 * more, and what ends it, so that its reader cannot take what came for the whole.
 */
export function guardStream(stream, length) {
  const { readable, writable } = new FixedLengthStream(length);
  const stop = new AbortController();
  const ended = stream.pipeTo(writable, { signal: stop.signal }).catch(() => {});
  return [readable, ended, () => stop.abort(new Error("the link is dead"))];
}
