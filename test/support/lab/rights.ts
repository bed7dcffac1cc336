/** Whether there can be a lab on this machine. */

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import process from "node:process";

const TUN = "/dev/net/tun";

/** Skips a test with a printed reason where the machine does not allow for a lab. */
export function needLab(skip: (why: string) => void): void {
  const why = lacking();
  if (why === undefined) return;
  process.stderr.write(`no network of our own: ${why}\n`);
  skip(why);
}

function lacking(): string | undefined {
  if (process.platform !== "linux") return `no network namespaces on ${process.platform}`;
  const { status } = spawnSync("unshare", ["--net", "true"], { stdio: "ignore" });
  if (status !== 0) return "network namespaces are not allowed here";
  try {
    accessSync(TUN, constants.R_OK | constants.W_OK);
  } catch {
    return `${TUN} cannot be used`;
  }
  return undefined;
}
