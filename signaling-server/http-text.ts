/** Short answers over HTTP, to a request and to a refused upgrade. */

import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";

export function sendText(response: ServerResponse, status: number, text: string): void {
  send(response, status, "text/plain; charset=utf-8", `${text}\n`);
}

export function sendJson(response: ServerResponse, status: number, json: object): void {
  send(response, status, "application/json; charset=utf-8", `${JSON.stringify(json)}\n`);
}

export function sendMetrics(response: ServerResponse, text: string): void {
  send(response, 200, "text/plain; version=0.0.4; charset=utf-8", text);
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "Content-Type": type,
    "Content-Length": Buffer.byteLength(body),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  });
  // The body of an answer to HEAD is left out by Node itself.
  response.end(body);
}

/** Answers a request for an upgrade that is not granted, and ends its connection. */
export function refuseUpgrade(socket: Duplex, status: number, text: string): void {
  const body = `${text}\n`;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    "Connection: close",
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.once("finish", () => socket.destroy());
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
