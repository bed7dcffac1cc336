import { type ChildProcess, spawn, spawnSync } from "node:child_process";
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

/** Also without root, where user namespaces are allowed. */
const OWN_MOUNTS = ["--user", "--map-root-user", "--mount"];

const CHILD = fileURLToPath(new URL("../support/store-child.ts", import.meta.url));

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "hearsay-store-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return join(folder, "deep", "inside");
}

/** Files up to 1 or 2 MB, by the shell's unit. */
const LIMITED = "ulimit -f 2048;";

/** A file system of 4 MB, with something in it that can be deleted. For this process alone. */
const TINY = `mkdir -p "$2"; mount -t tmpfs -o size=4m tiny "$2" && BALLAST="$2"/ballast`;

function canMount(): boolean {
  const { status } = spawnSync("unshare", [...OWN_MOUNTS, "mount", "-t", "tmpfs", "tiny", "/mnt"]);
  if (status === 0) return true;
  process.stderr.write("no file system can be mounted here: a limit on files in its place\n");
  return false;
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
  const shell = ["sh", "-c", command, process.execPath, CHILD, folder, String(bytes)];
  const prefix = limit === TINY ? ["unshare", ...OWN_MOUNTS] : [];
  const [file = "", ...args] = [...prefix, ...shell];
  const child = spawn(file, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
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

  test.each([
    ["a limit on files", LIMITED],
    ["a full file system", canMount() ? TINY : LIMITED],
  ])(
    "no room left, by %s: says store:full, keeps what it acknowledged, and takes what fits",
    async (_, limit) => {
      const folder = await emptyFolder();
      const child = writer(folder, 20_000, limit);
      let last: { batch?: number; code?: string } = {};
      let acknowledged = -1;
      child.on("message", (message: typeof last) => {
        last = message;
        acknowledged = message.batch ?? acknowledged;
      });
      await once(child, "exit");
      expect(last).toEqual({ code: "store:full", batches: acknowledged + 1, whole: true });
      expect(acknowledged).toBeGreaterThan(0);
    },
  );

  test("of an older version, without a number: keeps what is in it, says so, and has one then", async () => {
    const folder = await emptyFolder();
    await written(folder, 5, /\.log$/);
    await rm(join(folder, "hearsay-version"));
    const [entries, repairs] = await readAll(folder);
    expect(entries).toHaveLength(5);
    expect(repairs).toEqual([expect.stringMatching(/was of version 1, and is of 2 now/)]);
    expect(await readAll(folder)).toEqual([entries, []]);
  });

  test("of a newer version: says store:newer, and touches nothing", async () => {
    const folder = await emptyFolder();
    await written(folder, 5, /\.log$/);
    await writeFile(join(folder, "hearsay-version"), "3\n");
    const files = async () => {
      const names = (await readdir(folder)).sort();
      return Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))]));
    };
    const before = await files();
    const newer = { code: "store:newer", message: expect.stringMatching(/of version 3/) };
    await expect(diskStore(folder)()).rejects.toMatchObject(newer);
    expect(await files()).toEqual(before);
  });

  test("whose number is damaged: it is written anew, and the rest is there", async () => {
    const folder = await emptyFolder();
    await written(folder, 5, /\.log$/);
    await writeFile(join(folder, "hearsay-version"), "2\0");
    const [entries, repairs] = await readAll(folder);
    expect([entries.length, repairs.length]).toEqual([5, 1]);
    expect(await readAll(folder)).toEqual([entries, []]);
  });

  test("without classic-level: says what is missing", async () => {
    const without = new URL("../support/without.mjs?classic-level", import.meta.url).href;
    const child = writer(await emptyFolder(), 1, `NODE_OPTIONS="--import ${without}"`);
    expect((await once(child, "message"))[0]).toMatchObject({ code: "store:missing" });
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
