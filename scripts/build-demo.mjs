// Bundles the demo page into a folder that any web server can serve.
//   node scripts/build-demo.mjs [FOLDER]      (default dist/demo)
import { cp, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const source = fileURLToPath(new URL("../web-demo/", import.meta.url));

/** Chunks carry a hash of their content in their names: those of earlier builds stay behind. */
const CHUNK = /-[A-Z0-9]{8}[.]js([.]map)?$/;

/**
 * @param {string} outDir
 * @returns {Promise<{ file: string, bytes: number, gzipBytes: number }[]>} what was bundled, and its size
 */
export async function buildDemo(outDir) {
  await mkdir(outDir, { recursive: true });
  for (const file of await readdir(outDir)) if (CHUNK.test(file)) await rm(join(outDir, file));
  await build({
    entryPoints: ["main.ts", "styles.css", "tiling/tile-worker.ts", "tiling/tiles.ts"].map((file) =>
      join(source, file),
    ),
    outbase: source,
    outdir: outDir,
    bundle: true,
    minify: true,
    sourcemap: true,
    format: "esm",
    // What only some pages need (cryptography where the platform has none) loads on first use.
    splitting: true,
    chunkNames: "[name]-[hash]",
    platform: "browser",
    target: ["es2022", "chrome111", "firefox113", "safari16.4"],
    logLevel: "warning",
  });
  for (const file of ["index.html", "favicon.svg"])
    await cp(join(source, file), join(outDir, file));
  return Promise.all(
    ["main.js", "styles.css"].map(async (file) => {
      const bytes = await readFile(join(outDir, file));
      return { file, bytes: bytes.length, gzipBytes: gzipSync(bytes, { level: 9 }).length };
    }),
  );
}

/** @param {number} bytes */
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const outDir = process.argv[2] ?? fileURLToPath(new URL("../dist/demo", import.meta.url));
  for (const { file, bytes, gzipBytes } of await buildDemo(outDir)) {
    console.log(`${file}: ${kilobytes(bytes)}, ${kilobytes(gzipBytes)} gzipped`);
  }
}
