/**
 * Serves the files of one folder: GET and HEAD, nothing outside of it, nothing hidden, no listings. Small on
 * purpose: whoever needs more puts a web server in front.
 */

import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { sendText } from "./http-text.ts";

const TYPES: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** Answers requests with the files of `folder`; `/` is its `index.html`. Never throws and never rejects. */
export function staticFiles(
  folder: string,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  return async (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return sendText(response, 405, "only GET and HEAD are answered here");
    }
    try {
      const file = await openWithin(folder, request.url ?? "/");
      if (!file) return sendText(response, 404, "no such file");
      await sendFile(file, request, response);
    } catch {
      // The file changed under us, or the client went away half-way: either way this answer is over.
      response.destroy();
    }
  };
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly type: string;
}

/** Opens what the URL names, if that is a plain file which is really inside of the folder. */
async function openWithin(folder: string, url: string): Promise<OpenFile | undefined> {
  const segments = segmentsOf(url);
  if (!segments) return undefined;
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, ...segments));
    if (!path.startsWith(root + sep)) return undefined;
    // A named pipe would keep a blocking open waiting for ever.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) {
      return { handle, type: TYPES[extname(path).toLowerCase()] ?? "application/octet-stream" };
    }
    await handle.close();
  } catch {
    // Not there, or not ours to read: the same answer for both.
  }
  return undefined;
}

/** The names in the path of a URL, or `undefined` if one of them could lead elsewhere. */
function segmentsOf(url: string): string[] | undefined {
  let path: string;
  try {
    path = decodeURIComponent(url.replace(/[?#].*$/s, ""));
  } catch {
    return undefined;
  }
  const segments = (path.endsWith("/") ? `${path}index.html` : path).slice(1).split("/");
  const harmless = segments.every((name) => /^[^.\\:\p{Cc}][^\\:\p{Cc}]*$/u.test(name));
  return harmless ? segments : undefined;
}

async function sendFile(
  { handle, type }: OpenFile,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const { size, mtimeMs } = await handle.stat();
    const tag = `"${size.toString(36)}-${Math.floor(mtimeMs).toString(36)}"`;
    response.setHeader("ETag", tag);
    // Kept by the browser, and asked for again each time: a new build shows at once.
    response.setHeader("Cache-Control", "no-cache");
    response.setHeader("X-Content-Type-Options", "nosniff");
    if (request.headers["if-none-match"] === tag) {
      response.writeHead(304).end();
      return;
    }
    response.writeHead(200, { "Content-Type": type, "Content-Length": size });
    if (request.method === "HEAD" || size === 0) response.end();
    // The end is fixed, so that a file that grows meanwhile does not overrun its stated length.
    else await pipeline(handle.createReadStream({ autoClose: false, end: size - 1 }), response);
  } finally {
    await handle.close();
  }
}
