// Bundles the demo page into a folder that any web server can serve.
//   node scripts/build-demo.mjs [FOLDER]      (default dist/demo)
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const source = fileURLToPath(new URL("../web-demo/", import.meta.url));

/**
 * @param {string} outDir
 * @returns {Promise<{ file: string, bytes: number, gzipBytes: number }[]>} what was bundled, and its size
 */
export async function buildDemo(outDir) {
  await mkdir(outDir, { recursive: true });
  await build({
    entryPoints: [join(source, "main.ts"), join(source, "styles.css")],
    outdir: outDir,
    bundle: true,
    minify: true,
    sourcemap: true,
    format: "esm",
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
