// A folder and its mirror, as in Telepathine's: npx tsx examples/file-mirror.ts
// Each file is a key, its path. Who hears that one is new or another asks for its bytes by a stream.
import { once } from "node:events";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join as pathOf, relative, sep } from "node:path";
import { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { join, type Mesh } from "hearsay";
import { createSignalingServer } from "hearsay/server";

interface About {
  readonly bytes: number;
  readonly changedMs: number;
}
type Folder = Mesh<{ state: Record<string, About> }>;

/** Tells all what is in `folder`, again and again, and gives the bytes to who asks for them. */
function share(mesh: Folder, folder: string): void {
  mesh.every(100, async () => {
    const files = new Map<string, About>();
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = pathOf(entry.parentPath, entry.name);
      // It may be gone by now.
      const found = await stat(file).catch(() => undefined);
      if (found === undefined) continue;
      const path = relative(folder, file).replaceAll(sep, "/");
      files.set(path, { bytes: found.size, changedMs: found.mtimeMs });
    }
    for (const [path, about] of files) {
      if (mesh.get(path)?.changedMs !== about.changedMs) mesh.set(path, about);
    }
    for (const path of mesh.keys()) if (!files.has(path)) mesh.delete(path);
  });
  mesh.onStream("file", async (stream) => {
    const path = await text(stream.readable);
    // Only what is shared, whatever path is asked for.
    if (mesh.get(path) === undefined) return stream.abort(`there is no ${path}`);
    await Readable.toWeb(createReadStream(pathOf(folder, path))).pipeTo(stream.writable);
  });
}

/** Keeps in `folder` what others share, and tells `log` about it. */
async function mirror(mesh: Folder, folder: string, log: (line: string) => void): Promise<void> {
  for await (const { peer, key: path, value: about } of mesh.know<About>("**")) {
    const file = pathOf(folder, path);
    // A peer must not choose a place outside.
    if (!file.startsWith(folder + sep)) continue;
    if (about === undefined) {
      await rm(file, { force: true });
      log(`${path} is gone`);
      continue;
    }
    const stream = await mesh.stream(peer, "file");
    const writer = stream.writable.getWriter();
    await writer.write(new TextEncoder().encode(path));
    await writer.close();
    await mkdir(dirname(file), { recursive: true });
    // It takes its place once it is whole.
    await stream.readable.pipeTo(Writable.toWeb(createWriteStream(`${file}.part`)));
    await rename(`${file}.part`, file);
    log(`${path} has ${stream.progress.receivedBytes} bytes`);
  }
}

const folders = await Promise.all(
  ["ours", "theirs", "drafts"].map((name) => mkdtemp(pathOf(tmpdir(), `${name}-`))),
);
const [ours, theirs, drafts] = folders as [string, string, string];
const server = await createSignalingServer({ port: 0 }).listen();
const seeds = server.urls.slice(0, 1);
const enter = (name: string): Promise<Folder> => join({ cluster: "mirror", seeds, name });

const [ann, bob] = [await enter("ann"), await enter("bob")];
const lines = new EventTarget();
void mirror(bob, theirs, (line) => {
  console.log(`bob: ${line}`);
  lines.dispatchEvent(new Event(line));
}).catch((error) => console.error(error));
const said = (line: string): Promise<unknown> => once(lines, line);

await put("hello.txt", "hello");
const hello = said("hello.txt has 5 bytes");
share(ann, ours);
await hello;

/** A file that is seen is whole. */
async function put(path: string, content: string | Buffer): Promise<void> {
  await writeFile(pathOf(drafts, "draft"), content);
  await mkdir(dirname(pathOf(ours, path)), { recursive: true });
  await rename(pathOf(drafts, "draft"), pathOf(ours, path));
}

const bytes = Buffer.alloc(5_000_000, "the quick brown fox ");
const large = said("pictures/large.raw has 5000000 bytes");
await put("pictures/large.raw", bytes);
await large;
const copy = await readFile(pathOf(theirs, "pictures", "large.raw"));
console.log(copy.equals(bytes) ? "both are the same" : "they differ");

const changed = said("hello.txt has 11 bytes");
await put("hello.txt", "hello again");
await changed;
const gone = said("hello.txt is gone");
await rm(pathOf(ours, "hello.txt"));
await gone;

await Promise.all([ann.leave(), bob.leave(), server.close()]);
await Promise.all(folders.map((folder) => rm(folder, { recursive: true })));
