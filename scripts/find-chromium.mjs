// Where is a Chromium that the tests can drive? Finds one, or installs one as the machine allows.
// As a command it prints the path: node scripts/find-chromium.mjs [--install]
import process from "node:process";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright";
import { findProgram, installFromDebian, run } from "./find-program.mjs";

const names = ["chromium", "google-chrome", "google-chrome-stable", "chromium-browser"];

/** @returns {string | undefined} the path of an executable, or undefined where there is none */
export function findChromium() {
  return findProgram("CHROMIUM_PATH", names, [chromium.executablePath()]);
}

function install() {
  console.error("No Chromium found; installing one …");
  installFromDebian("chromium");
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
