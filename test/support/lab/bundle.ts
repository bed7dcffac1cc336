/**
 * Scripts of processes as one file each: a dozen of them start in the time that one takes from its sources.
 * Made before the tests of a lab and removed after the last of them.
 */

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { inject } from "vitest";
import type { TestProject } from "vitest/node";

declare module "vitest" {
  interface ProvidedContext {
    readonly labScripts: string;
  }
}

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "esm",
} as const;

const SCRIPTS = {
  member: "test/support/member-child.ts",
  delay: "test/support/lab/delay-child.ts",
  serve: "signaling-server/main.ts",
} as const;

export type Script = keyof typeof SCRIPTS | "page";

/** The path of the file. */
export function bundleOf(script: Script): string {
  return join(inject("labScripts"), `${script}.${script === "page" ? "js" : "mjs"}`);
}

export async function setup(project: TestProject): Promise<() => void> {
  // Within the project, where packages are found.
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  const outdir = mkdtempSync(join(ROOT, ".cache/lab-"));
  project.provide("labScripts", outdir);
  const forNode = { platform: "node", target: "node20", packages: "external" } as const;
  await Promise.all([
    build({
      ...COMMON,
      ...forNode,
      entryPoints: SCRIPTS,
      outdir,
      outExtension: { ".js": ".mjs" },
      splitting: true,
    }),
    build({
      ...COMMON,
      platform: "browser",
      entryPoints: { page: "test/support/member-page.ts" },
      outdir,
    }),
  ]);
  return () => rmSync(outdir, { recursive: true, force: true });
}
