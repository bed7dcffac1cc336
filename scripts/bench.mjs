// npm run bench -- NAME… [options]: runs bench/NAME.ts, each in the private network where that is possible.
//   npm run bench -- link signaling --json
import { readdirSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runInNetwork } from "./run-in-network.mjs";

const folder = fileURLToPath(new URL("../bench/", import.meta.url));
const tsx = fileURLToPath(import.meta.resolve("tsx/cli"));
const known = readdirSync(folder).flatMap((file) =>
  file.endsWith(".ts") ? [file.slice(0, -3)] : [],
);
const args = process.argv.slice(2);
const options = args.slice(args.findIndex((arg) => arg.startsWith("-")) >>> 0);
const names = args.slice(0, args.length - options.length);

if (names.length === 0 || names.some((name) => !known.includes(name))) {
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
