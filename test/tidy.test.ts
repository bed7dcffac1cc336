// Simple rules of the tree, held by a machine. Each test lists what breaks its rule, so a failure says where.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const git = ["ls-files", "--cached", "--others", "--exclude-standard"];
const files = execFileSync("git", git, { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "" && existsSync(root + file));

const read = (file: string): string => readFileSync(root + file, "utf8");
const among = (pattern: RegExp): string[] => files.filter((file) => pattern.test(file));
const sources = among(/\.(ts|mjs|cjs|js)$/);
const core = among(/^src\/core\/.*\.ts$/);

/** Without comments and the contents of strings: what is left is code. */
function codeOf(file: string): string {
  const pieces = /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return read(file).replace(pieces, (piece, text?: string) =>
    text ? '""' : piece.replace(/[^\n]/g, " "),
  );
}

/** Each place where the text of a file matches, as `file:line: match`. */
function places(among: string[], pattern: RegExp, textOf = read): string[] {
  return among.flatMap((file) =>
    textOf(file)
      .split("\n")
      .flatMap((line, index) => {
        const match = pattern.exec(line);
        return match ? [`${file}:${index + 1}: ${match[0]}`] : [];
      }),
  );
}

test("the rules look at something", () => {
  expect(core.length).toBeGreaterThan(0);
  expect(sources.length).toBeGreaterThan(core.length);
});

test("the core knows neither time nor chance nor waiting", () => {
  const impure =
    /\b(Date|Promise|async|await|WeakRef|FinalizationRegistry|Intl|eval)\b|\bMath\.random\b|\.(localeCompare|toLocale\w+)\b/;
  expect(places(core, impure, codeOf)).toEqual([]);
});

test("the core names nothing of its host", () => {
  const host =
    /(?<![.\w])((set|clear)(Timeout|Interval|Immediate)|queueMicrotask|console|Buffer|globalThis|require)\b|(?<![.\w])(process|performance|crypto|window|document|navigator)\./;
  expect(places(core, host, codeOf)).toEqual([]);
  // Whatever is not named above, the compiler does not know there.
  const config = read("src/core/tsconfig.json");
  expect(config).toContain('"lib": ["ES2023"]');
  expect(config).toContain('"types": []');
});

test("the core imports only its own files", () => {
  const foreign = /\b(?:from|import)\s*\(?\s*["'](?!\.\.?\/)[^"']*["']/;
  expect(places(core, foreign)).toEqual([]);
});

test("each file of the core starts by saying what it is", () => {
  expect(core.filter((file) => !/^\/[/*]/.test(read(file)))).toEqual([]);
});

test("no file is longer than 500 lines", () => {
  const lengths = sources.map((file) => ({ file, lines: read(file).split("\n").length - 1 }));
  expect(lengths.filter(({ lines }) => lines > 500)).toEqual([]);
});

test("no mark of unfinished work", () => {
  expect(places(sources, /\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b/)).toEqual([]);
});

test("no test is skipped, focused or tried again", () => {
  const tests = among(/^test\/.*\.ts$/);
  const kinds = "skip|only|todo|fails|skipIf|runIf";
  const held = new RegExp(`\\b(?:test|it|describe|suite|bench)\\.(?:${kinds})\\b|\\bretry\\s*:`);
  expect(places(tests, held)).toEqual([]);
});

test("nothing in the library is a default export", () => {
  const library = among(/^(src|signaling-server)\/.*(?<!\.d)\.ts$/);
  expect(places(library, /\bexport\s+default\b|\bas\s+default\b/, codeOf)).toEqual([]);
});

test("no path of one machine is in the tree", () => {
  const texts = files.filter((file) => !/^package-lock\.json$|\.(png|ico|woff2?)$/.test(file));
  const machine = /(?<![\w.~*)-])\/(?:work|root|home\/\w+)\/|(?<![\w.])\/tm[p]\/\w/;
  expect(places(texts, machine)).toEqual([]);
});

test("every dependency has its reason in docs/dependencies.md", () => {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(read("package.json"));
  const reasons = read("docs/dependencies.md");
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies });
  expect(names.filter((name) => !reasons.includes(`\`${name}\``))).toEqual([]);
});

test("each link of the documentation leads to a file and to a heading of it", () => {
  const slug = (heading: string): string =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, "")
      .replaceAll(" ", "-");
  const headings = (file: string): string[] =>
    [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => slug(heading));
  const links = among(/\.md$/).flatMap((file) =>
    [...read(file).matchAll(/\]\((?!\w+:)([^)#]*)#?([^)]*)\)/g)].map(
      ([, path = "", heading = ""]) => {
        const to = path === "" ? file : posix.join(posix.dirname(file), path);
        return { link: `${file}: ${path}#${heading}`, to, heading };
      },
    ),
  );
  expect(links.length).toBeGreaterThan(50);
  const broken = links.filter(
    ({ to, heading }) =>
      !existsSync(root + to) || (heading !== "" && !headings(to).includes(heading)),
  );
  expect(broken.map(({ link }) => link)).toEqual([]);
});
