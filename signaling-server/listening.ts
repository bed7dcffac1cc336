/** The HTTP server under the signaling server: plain or TLS, its address, and what may keep it from listening. */

import { readFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import { HearsayError } from "../src/errors.ts";
import type { SignalingServerOptions } from "./options.ts";

type Tls = NonNullable<SignalingServerOptions["tls"]>;

/** How a machine without IPv6 answers to `::`. */
const NO_IPV6 = new Set(["EAFNOSUPPORT", "EADDRNOTAVAIL"]);

/** @throws HearsayError `server:bad-tls` */
export function makeHttpServer(
  tls: Tls | undefined,
  requestMs: number,
  onRequest: RequestListener,
): Server {
  const times = {
    // Whoever opens connections and says nothing, or says it slowly, holds them for a moment only.
    headersTimeout: requestMs,
    requestTimeout: requestMs,
    connectionsCheckingInterval: Math.max(10, Math.min(1_000, requestMs / 2)),
    keepAliveTimeout: 5_000,
  };
  const server = tls
    ? createTlsServer({ ...times, ...readTls(tls), handshakeTimeout: requestMs }, onRequest)
    : createServer(times, onRequest);
  server.setTimeout(30_000);
  return server;
}

/** Takes the certificate and the key anew, for the connections to come. @throws HearsayError `server:bad-tls` */
export function renewTls(server: Server, tls: Tls): void {
  (server as TlsServer).setSecureContext(readTls(tls));
}

function readTls({ certFile, keyFile }: Tls): { cert: Buffer; key: Buffer } {
  const read = (file: string): Buffer => {
    try {
      return readFileSync(file);
    } catch (cause) {
      throw new HearsayError("server:bad-tls", `${file} cannot be read: ${messageOf(cause)}`, {
        cause,
      });
    }
  };
  const files = { cert: read(certFile), key: read(keyFile) };
  try {
    createTlsServer(files);
  } catch (cause) {
    const remedy = "both are PEM, the certificate with its chain, and they belong together";
    const what = `${certFile} and ${keyFile} are no certificate and key`;
    throw new HearsayError("server:bad-tls", `${what}: ${remedy} (${messageOf(cause)})`, { cause });
  }
  return files;
}

const ANY_HOST = "::";

/** @throws HearsayError `server:port-in-use`, `server:port-forbidden`, `server:listen` */
export async function bind(server: Server, port: number, host: string = ANY_HOST): Promise<void> {
  try {
    await tryToBind(server, port, host);
  } catch (error) {
    if (host !== ANY_HOST || !NO_IPV6.has(codeOf(error))) throw explain(error, port, host);
    await tryToBind(server, port, "0.0.0.0").catch((error) => {
      throw explain(error, port, "0.0.0.0");
    });
  }
}

function tryToBind(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => reject(error);
    server.once("error", onError);
    server.listen({ port, host }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code);
}

function messageOf(error: unknown): string {
  return (error as Error).message;
}

function explain(cause: unknown, port: number, host: string): HearsayError {
  switch (codeOf(cause)) {
    case "EADDRINUSE":
      return new HearsayError(
        "server:port-in-use",
        `port ${port} is in use: stop what listens there, or choose another port (0 takes a free one)`,
        { cause },
      );
    case "EACCES":
      return new HearsayError(
        "server:port-forbidden",
        `port ${port} needs more rights than this process has: choose a port from 1024 up`,
        { cause },
      );
    default:
      return new HearsayError(
        "server:listen",
        `cannot listen on ${host} port ${port}: ${messageOf(cause)}. Check the host and the port`,
        { cause },
      );
  }
}
