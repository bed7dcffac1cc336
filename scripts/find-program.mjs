// Programs that the tests need beside Node: where they are, and how they come onto a Debian machine.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** @param {string} file */
function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * @param {string} variable of the environment, which may name the executable
 * @param {string[]} names that it may have in one of the usual folders
 * @param {string[]} [others] where else it may be
 * @returns {string | undefined} the path of an executable, or undefined where there is none
 */
export function findProgram(variable, names, others = []) {
  const asked = process.env[variable];
  if (asked) {
    if (isExecutable(asked)) return asked;
    throw new Error(`${variable} is ${asked}, which cannot be run. Correct it, or unset it.`);
  }
  const folders = ["/usr/bin", "/usr/sbin", ...(process.env["PATH"] ?? "").split(delimiter)];
  const found = names.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...found, ...others].find(isExecutable);
}

/**
 * @param {string} command
 * @param {string[]} args
 */
export function run(command, ...args) {
  // Everything goes to standard error: standard output is for the path alone.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync(command, args, { stdio: ["ignore", 2, 2], env }).status === 0;
}

/**
 * Does nothing elsewhere than on Debian as root.
 * @param {string} name of the package
 */
export function installFromDebian(name) {
  const debianAsRoot = existsSync("/etc/debian_version") && process.getuid?.() === 0;
  if (!debianAsRoot || !run("apt-get", "update", "-qq")) return;
  const wait = "DPkg::Lock::Timeout=300";
  run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", wait, name);
}
