/** Scripts of processes as one file each: a dozen of them start in the time that one takes from its sources. */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const SCRIPTS = {
  member: "test/support/member-child.ts",
  delay: "test/support/lab/delay-child.ts",
  serve: "signaling-server/main.ts",
} as const;

export type Script = keyof typeof SCRIPTS;

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

let bundled: Promise<string> | undefined;

/** Resolves with the path of the file. */
export async function bundleOf(script: Script): Promise<string> {
  bundled ??= bundle();
  return join(await bundled, `${script}.mjs`);
}

/** Within the project, where packages are found. */
async function bundle(): Promise<string> {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  const outdir = mkdtempSync(join(ROOT, ".cache/lab-"));
  process.once("exit", () => rmSync(outdir, { recursive: true, force: true }));
  await build({
    absWorkingDir: ROOT,
    entryPoints: SCRIPTS,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
  });
  return outdir;
}
