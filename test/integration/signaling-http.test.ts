// The plain HTTP side of the signaling server: health, and the files of the demo page.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { SignalingServer, SignalingServerOptions } from "../../signaling-server/index.ts";
import { join as joinMesh, startServer, urlOf, within } from "./signaling-support.ts";

interface Answer {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** A request whose path goes out as it is: `fetch` would tidy it up first. */
function ask(
  server: SignalingServer,
  path: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const answer = new Promise<Answer>((resolve, reject) => {
    const options = { port: server.port, host: "127.0.0.1", path, method, headers, agent: false };
    const sent = request(options, (response) => {
      let body = "";
      response.on("data", (data) => {
        body += data;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode, headers: response.headers, body }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject).end();
  });
  return within(`an answer to ${path}`, answer);
}

let root: string;
let folder: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "hearsay-"));
  folder = join(root, "demo");
  mkdirSync(join(folder, "assets"), { recursive: true });
  mkdirSync(join(root, "demo-secret"));
  const files: Record<string, string> = {
    "secret.txt": "secret",
    "demo-secret/secret.txt": "secret",
    "demo/.env": "secret",
    "demo/index.html": "<!doctype html><title>demo</title>",
    "demo/assets/main.js": "export {};",
    "demo/assets/a b.svg": "<svg/>",
    "demo/empty.txt": "",
    "demo/data": "?",
    "demo/large.bin": "",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  truncateSync(join(folder, "large.bin"), 30_000_000);
  symlinkSync(join(root, "secret.txt"), join(folder, "link.txt"));
  symlinkSync(root, join(folder, "up"));
  symlinkSync(join(root, "demo-secret"), join(folder, "sibling"));
  symlinkSync(join(folder, "assets/main.js"), join(folder, "inside.js"));
});

afterAll(() => rmSync(root, { recursive: true }));

const serve = (options: SignalingServerOptions = {}) =>
  startServer({ staticDir: folder, ...options });

describe("files", () => {
  test.each([
    ["/", "text/html; charset=utf-8", "<!doctype html><title>demo</title>"],
    ["/?utm=1", "text/html; charset=utf-8", "<!doctype html><title>demo</title>"],
    ["/index.html", "text/html; charset=utf-8", "<!doctype html><title>demo</title>"],
    ["/assets/main.js", "text/javascript; charset=utf-8", "export {};"],
    ["/assets/a%20b.svg", "image/svg+xml", "<svg/>"],
    ["/inside.js", "text/javascript; charset=utf-8", "export {};"],
    ["/empty.txt", "text/plain; charset=utf-8", ""],
    ["/data", "application/octet-stream", "?"],
  ])("%s", async (path, type, body) => {
    const answer = await ask(await serve(), path);
    expect(answer).toMatchObject({
      status: 200,
      body,
      headers: {
        "content-type": type,
        "content-length": `${body.length}`,
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache",
      },
    });
  });

  test("a file the browser has is not sent again", async () => {
    const server = await serve();
    const { headers } = await ask(server, "/");
    const tag = headers["etag"] as string;
    const again = await ask(server, "/", { headers: { "If-None-Match": tag } });
    expect(again).toMatchObject({ status: 304, body: "", headers: { etag: tag } });
    const other = await ask(server, "/", { headers: { "If-None-Match": '"other"' } });
    expect(other.status).toBe(200);
  });

  test("HEAD is GET without the body, and nothing else is answered", async () => {
    const server = await serve();
    expect(await ask(server, "/", { method: "HEAD" })).toMatchObject({
      status: 200,
      body: "",
      headers: { "content-length": "34" },
    });
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      expect(await ask(server, "/", { method })).toMatchObject({
        status: 405,
        headers: { allow: "GET, HEAD" },
      });
    }
  });

  test.each([
    "/nothing",
    "/assets",
    "/assets/",
    "/index.html/",
    "//",
    "/../secret.txt",
    "/assets/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/%2E%2E%2Fsecret.txt",
    "/..%2fsecret.txt",
    "/..%5csecret.txt",
    "/..\\secret.txt",
    "/%252e%252e/secret.txt",
    "/....//secret.txt",
    "/../demo-secret/secret.txt",
    "/.env",
    "/%2eenv",
    "/./index.html",
    "/link.txt",
    "/up/secret.txt",
    "/sibling/secret.txt",
    "/index.html%00",
    "/%00",
    "/index.html%00.png",
    "/secret.txt%00.html",
    "/%",
    "/%ff",
    "/c:/secret.txt",
    "/index.html::$DATA",
    "http://127.0.0.1/secret.txt",
    `/${"a/".repeat(2_000)}`,
    `/${"x".repeat(5_000)}`,
  ])("nothing at %s", async (path) => {
    const answer = await ask(await serve(), path);
    expect(answer).toMatchObject({ status: 404, headers: { "x-content-type-options": "nosniff" } });
    expect(answer.body).toBe("no such file\n");
  });

  test("a reader that leaves half-way harms nobody", async () => {
    const server = await serve();
    const options = { port: server.port, host: "127.0.0.1", path: "/large.bin", agent: false };
    const left = new Promise<void>((resolve) => {
      const sent = request(options, (response) => {
        response.once("data", () => {
          sent.destroy();
          resolve();
        });
        response.on("error", () => {});
      });
      sent.on("error", () => {});
      sent.end();
    });
    await within("the first part of the file", left);
    expect((await ask(server, "/data")).body).toBe("?");
    await within("the stop", server.close({ graceMs: 1_000 }));
  });

  test("a folder that is not there has no files", async () => {
    const server = await serve({ staticDir: join(root, "nowhere") });
    expect((await ask(server, "/")).status).toBe(404);
  });
});

describe("besides files", () => {
  test("/healthz counts rooms and members", async () => {
    const server = await serve();
    await joinMesh(urlOf(server, "red"));
    await joinMesh(urlOf(server, "blue"));
    await joinMesh(urlOf(server, "blue"));
    const { status, headers, body } = await ask(server, "/healthz?now");
    expect([status, headers["content-type"], headers["cache-control"]]).toEqual([
      200,
      "application/json; charset=utf-8",
      "no-store",
    ]);
    const uptimeMs = expect.any(Number);
    expect(JSON.parse(body)).toEqual({ status: "ok", rooms: 2, members: 3, uptimeMs });
    expect((await ask(server, "/healthz", { method: "HEAD" })).body).toBe("");
  });

  test("without a folder a person is told what this is", async () => {
    const server = await startServer();
    expect(await ask(server, "/")).toMatchObject({
      status: 404,
      body: expect.stringContaining("WebSocket to /CLUSTER"),
    });
  });

  test("requests may be answered by whoever runs the server", async () => {
    const server = await serve({
      onRequest: (request, response) => {
        if (request.url === "/fails") throw new Error("a bug of the handler");
        if (request.url !== "/metrics") return false;
        response.end("42");
        return true;
      },
    });
    expect((await ask(server, "/metrics")).body).toBe("42");
    expect((await ask(server, "/data")).body).toBe("?");
    expect((await ask(server, "/fails")).status).toBe(500);
    expect((await ask(server, "/healthz")).status).toBe(200);
  });
});
