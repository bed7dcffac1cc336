// npm run bench -- NAME… [options]: runs bench/NAME.ts, each in the private network where that is possible.
//   npm run bench -- link signaling --json     one line of JSON for each
//   npm run bench -- --list                    what there is
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runInNetwork } from "./run-in-network.mjs";

const folder = fileURLToPath(new URL("../bench/", import.meta.url));
const known = readdirSync(folder).flatMap((file) =>
  file.endsWith(".ts") ? [file.slice(0, -3)] : [],
);
const tsx = fileURLToPath(import.meta.resolve("tsx/cli"));
const args = process.argv.slice(2);
const options = args.slice(args.findIndex((arg) => arg.startsWith("-")) >>> 0);
const names = args.slice(0, args.length - options.length);
const unknown = names.filter((name) => !known.includes(name));

/**
 * The first words of a benchmark's file.
 * @param {string} name
 */
function about(name) {
  const [, text = ""] =
    /^\/\*\*\n([\s\S]*?)\n \*\n/.exec(readFileSync(`${folder}${name}.ts`, "utf8")) ?? [];
  return text
    .replace(/^ \* ?/gm, "")
    .replaceAll("\n", " ")
    .split(/[.:;] /)[0];
}

if (options.includes("--list")) {
  for (const name of known) console.log(`${name.padEnd(10)} ${about(name)}`);
} else if (names.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`there is no benchmark ${unknown.join(", ")}`);
  console.error(
    `usage: npm run bench -- NAME… [options], where NAME is one of ${known.join(", ")}`,
  );
  process.exitCode = 2;
} else {
  for (const name of names) {
    const code = await runInNetwork([process.execPath, tsx, `${folder}${name}.ts`, ...options]);
    if (code !== 0) process.exitCode = code;
  }
}
