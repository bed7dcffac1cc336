// Where is a Chromium that the tests can drive? Finds one, or installs one as the machine allows.
// As a command it prints the path: node scripts/find-chromium.mjs [--install]
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright";

const names = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** @returns {string | undefined} the path of an executable, or undefined where there is none */
export function findChromium() {
  const asked = process.env["CHROMIUM_PATH"];
  if (asked) {
    if (isExecutable(asked)) return asked;
    throw new Error(`CHROMIUM_PATH is ${asked}, which cannot be run. Correct it, or unset it.`);
  }
  const folders = ["/usr/bin", ...(process.env["PATH"] ?? "").split(delimiter)];
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...found, chromium.executablePath()].find(isExecutable);
}

/**
 * @param {string} command
 * @param {string[]} args
 */
function run(command, ...args) {
  // Everything goes to standard error: standard output is for the path alone.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(command, args, { stdio: ["ignore", 2, 2], env }).status === 0;
}

function install() {
  const debianAsRoot = existsSync("/etc/debian_version") && process.getuid?.() === 0;
  console.error("No Chromium found; installing one …");
  if (debianAsRoot && run("apt-get", "update", "-qq")) {
    const wait = "DPkg::Lock::Timeout=300";
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", wait, "chromium");
  }
  // On Ubuntu the package is a stub for a snap, which may not work: then Playwright's own build.
  if (!findChromium()) run("npx", "playwright", "install", "chromium");
}

/** @returns {string} the path of an executable, installed first where there was none */
export function ensureChromium() {
  if (!findChromium()) install();
  const found = findChromium();
  if (found) return found;
  throw new Error(
    "No Chromium, and none could be installed. Install Chromium or Chrome, " +
      "or set CHROMIUM_PATH to the executable of one.",
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  try {
    const path = process.argv.includes("--install") ? ensureChromium() : findChromium();
    if (!path) throw new Error("No Chromium found. Run again with --install to install one.");
    console.log(path);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
