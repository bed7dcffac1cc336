// The examples run as their first lines say, and print what they promise. The README shows two of them word for word.
import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { chromium, type Page } from "playwright";
import { expect, onTestFinished, test } from "vitest";
import { PARAMETERS } from "../../src/index.ts";
import { launchOptions } from "../support/chromium.ts";
import { type Program, runNode, serve } from "./cli-support.ts";
import { startServer } from "./signaling-support.ts";

/** `npx tsx examples/…` in a checkout that was not built: `hearsay` is the source. */
function example(name: string, ...args: string[]): Program {
  const env = { TSX_TSCONFIG_PATH: "test/integration/examples.tsconfig.json" };
  return runNode(["--import", "tsx", `examples/${name}.ts`, ...args], env);
}

test.each([
  ["node-minimal", ["bob is cheerful", "bob says hello"]],
  ["presence", ["bob is reading", "bob is writing", "cleo sees ann and bob", "bob left"]],
  [
    "invitation",
    [
      "before: the guest is isolated",
      "host gives the guest hearsay-invitation:…",
      "guest answers with hearsay-reply:…",
      "host says: sit down, the cake is here",
      "after: the guest is ok",
    ],
  ],
  [
    "three-by-udp",
    [
      "first is at one address: true",
      "third says hello",
      "third says hello",
      "third is linked by udp and udp",
    ],
  ],
  [
    "shared-memory",
    [
      "kitchen knows that station set wind to 3",
      "garden knows that station set sky.tonight to stars",
      "garden knows that station set sky.now to clear",
      "garden believes that sky.tonight is stars",
      "garden knows that kitchen set sky.now to steam",
      "sky.now: clear at the station, steam in the kitchen",
      "garden knows that station set sky.rainbow to here",
      "garden knows that sky.rainbow of station is gone",
      "garden: sky.rainbow of station has expired",
      "garden knows that sky.tonight of station is gone",
      "garden knows that sky.now of station is gone",
      "station has left, and with it sky.tonight: undefined",
      "garden still believes that sky.tonight is stars",
    ],
  ],
  [
    "event-bus",
    [
      "ann hears question from bob: how much is it",
      "ann hears question from bob: and how much more",
      "bob hears answer from ann: 42",
      "ann hears bell.ring from bob: 1",
      "ann hears bell.ring from bob: 2",
      "ann hears bell.ring from bob: 3",
      "ann hears news.opening from bob: cake at four",
      "cleo hears late from bob: cake at four",
    ],
  ],
  [
    "twenty-peers",
    [
      "20 peers, and each sees 19 others",
      "peer-1: updater is new",
      "peer-1: updater is alive",
      ...Array.from(
        { length: 20 },
        (_, i) => `peer-${i + 1} knows that updater set some.key to some value`,
      ),
      "all know it after N ms",
      "peer-1: updater has left",
    ],
  ],
  [
    "newsroom",
    [
      "bob hears from ann: it rains",
      "bob hears from ann: it pours",
      "cleo hears late: it rains",
      "cleo hears late: it pours",
      "bob hears from cleo: the sun shines",
    ],
  ],
  [
    "work-queue",
    [
      "the waiter has left",
      "soup is done, at attempt 1",
      "salad is done, at attempt 1",
      "given up (deliveries): out of stock",
      "done: salad and soup",
      "unicorn was tried 2 times",
    ],
  ],
  [
    "mesh-basics",
    [
      "ann: bob came online",
      "ann: cleo came online",
      "cleo: ann sent task.sweep: the yard",
      "ann: bob published news.weather: sunny",
      "cleo: bob published news.weather: sunny",
      "ann: dora came online",
      "dora: workers is 4",
    ],
  ],
  [
    "three-members",
    [
      "ann is linked with bob and cleo",
      "bob is linked with ann and cleo",
      "ann suspects cleo after N s",
      "bob suspects cleo after N s",
      "ann knows that cleo is down after N s",
      "bob knows that cleo is down after N s",
      "who is left: bob and ann",
    ],
  ],
])("%s prints what it should, and ends", async (name, lines) => {
  const program = example(name);
  expect(await program.exit()).toBe(0);
  const printed = program.output().replaceAll(/after [\d.]+ (ms|s)$/gm, "after N $1");
  expect(printed.split("\n").slice(0, -1).sort()).toEqual([...lines].sort());
});

test("row 51: file-mirror keeps a folder as another, by streams", async () => {
  const program = example("file-mirror");
  expect(await program.exit()).toBe(0);
  expect(program.output().split("\n").slice(0, -1)).toEqual([
    "bob: hello.txt has 5 bytes",
    "bob: pictures/large.raw has 5000000 bytes",
    "both are the same",
    "bob: hello.txt has 11 bytes",
    "bob: hello.txt is gone",
  ]);
});

test("chat: two people talk, and one leaves", async () => {
  const { url } = await serve();
  const ann = example("chat", `${url}/demo`, "ann");
  await ann.until(
    "that she is in",
    (output) => /^in demo with 0 others$/m.exec(output) ?? undefined,
  );
  const bob = example("chat", `${url}/demo`, "bob");
  await ann.until("bob", (output) => /^\* bob joined$/m.exec(output) ?? undefined);
  await bob.until(
    "that he is in",
    (output) => /^in demo with 1 others$/m.exec(output) ?? undefined,
  );
  bob.child.stdin?.write("hello ann\n");
  await ann.until("what bob says", (output) => /^bob: hello ann$/m.exec(output) ?? undefined);
  ann.child.stdin?.write("hello bob\n");
  await bob.until("what ann says", (output) => /^ann: hello bob$/m.exec(output) ?? undefined);
  bob.child.stdin?.end();
  expect(await bob.exit()).toBe(0);
  await ann.until("that bob left", (output) => /^\* bob left$/m.exec(output) ?? undefined);
});

test("browser-minimal: two tabs greet each other", async () => {
  const folder = await mkdtemp(join(tmpdir(), "hearsay-example-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const server = await startServer({ staticDir: folder });
  const source = await readFile("examples/browser-minimal.ts", "utf8");
  const page = "ws://localhost:8080";
  expect(source).toContain(page);
  const { outputFiles } = await build({
    stdin: {
      contents: source.replace(page, `ws://localhost:${server.port}`),
      resolveDir: "examples",
      loader: "ts",
    },
    alias: { hearsay: "./src/index.browser.ts" },
    bundle: true,
    format: "esm",
    write: false,
  });
  await writeFile(join(folder, "browser-minimal.js"), outputFiles[0]?.contents ?? "");
  await writeFile(join(folder, "index.html"), readFileSync("examples/browser-minimal.html"));

  const browser = await chromium.launch(launchOptions());
  onTestFinished(() => browser.close());
  const context = await browser.newContext();
  const open = async (): Promise<Page> => {
    const tab = await context.newPage();
    await tab.goto(`http://localhost:${server.port}/`);
    await tab.getByText("I am ").waitFor();
    return tab;
  };
  const first = await open();
  const second = await open();
  await first.getByText(" joined").waitFor();
  await first.getByText(": hello from a page").waitFor();
  await second.close({ runBeforeUnload: false });
  await first.getByText(/ left| gone/).waitFor();
});

test.each(["browser-minimal", "node-minimal"])("the README shows %s as it is", (name) => {
  const code = readFileSync(`examples/${name}.ts`, "utf8").replace(/^(\/\/.*\n)+/, "");
  expect(code.length).toBeGreaterThan(100);
  expect(readFileSync("README.md", "utf8")).toContain(`\`\`\`ts\n${code}\`\`\`\n`);
});

/** The names that `pattern` finds in a file. */
function namesIn(file: string, pattern: RegExp): string[] {
  const names = [...readFileSync(file, "utf8").matchAll(pattern)].map(([, name]) => name as string);
  expect(names.length).toBeGreaterThan(0);
  return [...new Set(names)];
}

test("docs/api.md names every option, event and error code", () => {
  const api = readFileSync("docs/api.md", "utf8");
  const options = namesIn("src/mesh/options.ts", /^ {2}"(\w+)",$/gm);
  const events = namesIn("src/mesh/events.ts", /^ {2}"?([\w:]+)"?: \[/gm);
  const files = ["join", "mesh-errors", "pattern", "streams", "values"].map(
    (name) => `src/mesh/${name}.ts`,
  );
  const codes = [...files, "src/runtime/invitations.ts", "src/index.node.ts"].flatMap((file) =>
    namesIn(file, /HearsayError\(\s*[`"]([a-z]+:[a-z-]*)/g),
  );
  const missing = [...options, ...events, ...codes].filter((name) => {
    return !api.includes(`\`${name.replace(/^options:.*/, "options:")}`);
  });
  expect(missing).toEqual([]);
});

test("docs/api.md has the limits of the code", () => {
  const api = readFileSync("docs/api.md", "utf8");
  const mebibytes = (name: "valueBytesMax" | "stateBytesMax" | "queueBytesMax"): string =>
    `${PARAMETERS[name].default / 1_048_576} MiB`;
  expect(api).toContain(
    `A value of \`say\`, \`send\` or \`set\` | ${mebibytes("valueBytesMax")} encoded`,
  );
  expect(api).toContain(`State of one member | ${mebibytes("stateBytesMax")}`);
  expect(api).toContain(`Waiting for one slow link | ${mebibytes("queueBytesMax")}`);
  for (const name of ["membersMax", "stateKeysMax", "directMax"] as const)
    expect(api).toContain(PARAMETERS[name].default.toLocaleString("en"));
});
