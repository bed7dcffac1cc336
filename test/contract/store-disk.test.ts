import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, onTestFinished, test } from "vitest";
import { diskStore } from "../../src/store/disk.ts";
import type { StoreEntry } from "../../src/store/store.ts";
import { storeChecks } from "../../src/testing/store-suite.ts";

const CHILD = fileURLToPath(new URL("../support/store-child.ts", import.meta.url));

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hearsay-store-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "deep", "inside");
}

/** What cannot be compressed. */
function bytesOf(size: number, seed: number): Uint8Array {
  let state = seed + 1;
  return Uint8Array.from({ length: size }, () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    return state >>> 24;
  });
}

/** Another process that writes into a store, in batches of ten, until it cannot. */
function writer(folder: string, bytes: number, limit = ""): ChildProcess {
  const command = `${limit} exec "$0" --import tsx "$1" "$2" "$3"`;
  const child = spawn("sh", ["-c", command, process.execPath, CHILD, folder, String(bytes)], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

async function readAll(folder: string): Promise<[StoreEntry[], string[]]> {
  const repairs: string[] = [];
  const store = await diskStore(folder)((error) => repairs.push(error.message));
  const entries = await store.range("", "\uffff");
  await store.close();
  return [entries, repairs];
}

/** Writes so many entries one by one, and gives the file of its kind that holds them. */
async function written(folder: string, count: number, kind: RegExp): Promise<string> {
  const store = await diskStore(folder)();
  for (let i = 0; i < count; i++) {
    await store.write([{ key: `${i}`.padStart(4, "0"), value: bytesOf(200, i) }]);
  }
  await store.close();
  const files = (await readdir(folder)).filter((file) => kind.test(file)).sort();
  return join(folder, files.at(-1) as string);
}

/** Turns one bit of the value of an entry. */
async function flip(file: string, entry: number): Promise<void> {
  const bytes = await readFile(file);
  const place = bytes.indexOf(bytesOf(200, entry).subarray(50, 100));
  expect(place).toBeGreaterThan(0);
  bytes[place] = (bytes[place] as number) ^ 4;
  await writeFile(file, bytes);
}

describe("store on disk", () => {
  for (const check of storeChecks(async () => diskStore(await emptyFolder()))) {
    test(check.name, check.run);
  }

  test("killed in the middle of its writing: no acknowledged batch is lost, none is half", async () => {
    const folder = await emptyFolder();
    const child = writer(folder, 3_000);
    let acknowledged = -1;
    const exited = once(child, "exit");
    child.on("message", ({ batch = -1 }: { batch?: number }) => {
      acknowledged = Math.max(acknowledged, batch);
      if (batch >= 50) child.kill("SIGKILL");
    });
    await exited;
    const [entries, repairs] = await readAll(folder);
    expect(acknowledged).toBeGreaterThanOrEqual(50);
    expect(entries.length % 10).toBe(0);
    expect(entries.length / 10).toBeGreaterThan(acknowledged);
    expect(repairs).toEqual([]);
  });

  test("held by another process: says store:locked, until that ends", async () => {
    const folder = await emptyFolder();
    const child = writer(folder, 1);
    await once(child, "message");
    await expect(diskStore(folder)()).rejects.toMatchObject({ code: "store:locked" });
    child.kill("SIGKILL");
    await once(child, "exit");
    await (await diskStore(folder)()).close();
  });

  test("no room left: says store:full, keeps what it acknowledged, and takes what fits", async () => {
    const folder = await emptyFolder();
    // Files up to 1 or 2 MB, by the shell's unit: no file system has to be filled.
    const child = writer(folder, 20_000, "ulimit -f 2048;");
    let last: { batch?: number; code?: string } = {};
    let acknowledged = -1;
    child.on("message", (message: typeof last) => {
      last = message;
      acknowledged = message.batch ?? acknowledged;
    });
    await once(child, "exit");
    expect(last).toEqual({ code: "store:full" });
    const [entries] = await readAll(folder);
    const batches = entries.filter(({ key }) => key !== "small");
    expect(entries.length - batches.length).toBe(1);
    expect(batches.length).toBe(10 * (acknowledged + 1));
    for (const { key, value } of batches) expect(value[0]).toBe(Number(key.slice(0, 9)) % 256);
  });

  test("a torn last record is left out, and nothing before it", async () => {
    const folder = await emptyFolder();
    const log = await written(folder, 100, /\.log$/);
    const { length } = await readFile(log);
    await truncate(log, length - 50);
    const [entries] = await readAll(folder);
    expect(entries.map(({ value }) => value)).toEqual(
      Array.from({ length: 99 }, (_, i) => bytesOf(200, i)),
    );
  });

  test("a bit that turned in its log is told, and costs what stands in that block at most", async () => {
    const folder = await emptyFolder();
    await flip(await written(folder, 1_000, /\.log$/), 500);
    const [entries, repairs] = await readAll(folder);
    expect(repairs).toHaveLength(1);
    // A block of the log has 32 KiB.
    expect(entries.length).toBeGreaterThan(1_000 - 33_000 / 200);
    expect(entries.length).toBeLessThan(1_000);
    expect(entries.slice(0, 350).map(({ key }) => Number(key))).toEqual([...Array(350).keys()]);
  });

  test("a bit that turned in a value of its tables is told, and costs that entry alone", async () => {
    const folder = await emptyFolder();
    await written(folder, 100, /\.log$/);
    // Opened again, it makes a table of its log.
    await readAll(folder);
    const [table] = (await readdir(folder)).filter((file) => file.endsWith(".ldb"));
    await flip(join(folder, table as string), 50);
    const [entries, repairs] = await readAll(folder);
    expect(repairs).toHaveLength(1);
    expect(entries).toHaveLength(99);
    expect(entries.map(({ key }) => key)).not.toContain("0050");
  });

  test("without its list of files it is repaired, and says so", async () => {
    const folder = await emptyFolder();
    await written(folder, 100, /\.log$/);
    await readAll(folder);
    const [manifest] = (await readdir(folder)).filter((file) => file.startsWith("MANIFEST"));
    await truncate(join(folder, manifest as string), 5);
    const [entries, repairs] = await readAll(folder);
    expect(entries).toHaveLength(100);
    expect(repairs[0]).toMatch(/repaired/);
  });
});
