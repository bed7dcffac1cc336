// Checks the rules of .dependency-cruiser.cjs, and that every source file was really looked at:
// a checker that reads nothing finds nothing wrong.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { cruise, format } from "dependency-cruiser";
import extractOptions from "dependency-cruiser/config-utl/extract-depcruise-options";

const folders = ["src", "signaling-server", "web-demo", "examples", "test", "bench"];
const present = folders.filter((folder) => existsSync(folder));

const options = await extractOptions("./.dependency-cruiser.cjs");
const { output: result } = await cruise(present, options);
if (typeof result === "string") throw new Error("dependency-cruiser gave text, not a result");

const seen = new Set(result.modules.map((module) => module.source));
const missed = present
  .flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).map((file) => join(folder, file)),
  )
  .filter((file) => /(?<!\.d)\.ts$/.test(file) && !seen.has(file));
const imports = result.modules.flatMap((module) => module.dependencies).length;

const report = await format(result, { outputType: "err-long" });
console.log(report.output);
if (missed.length > 0) console.error(`not looked at: ${missed.join(", ")}`);
if (imports === 0) console.error("no import was found in any file: the parser reads nothing");
process.exitCode = report.exitCode > 0 || missed.length > 0 || imports === 0 ? 1 : 0;
