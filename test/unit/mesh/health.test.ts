import { expect, test } from "vitest";
import { type HealthSigns, healthOf } from "../../../src/mesh/health.ts";
import type { Seed } from "../../../src/runtime/seeds.ts";

function seed(state: Seed["state"], reason?: string): Seed {
  return { url: `ws://${state}`, state, reason, pause() {}, resume() {} };
}

const SIGNS: HealthSigns = {
  left: false,
  linkCount: 0,
  peerCount: 0,
  introducedCount: 0,
  refusal: undefined,
  failedLinks: 0,
  wasLinked: false,
  ephemeral: false,
  storeFailed: false,
  seeds: [seed("up")],
};

const away = [seed("up"), seed("waiting", "it is gone")];

test.each<[string, Partial<HealthSigns>, string, string[], RegExp]>([
  ["linked", { linkCount: 2, peerCount: 3 }, "ok", [], /linked with 2 of 3/],
  ["a seed away", { linkCount: 1, seeds: away }, "degraded", ["seed-away"], /waiting \(it is gone/],
  ["nobody else", {}, "alone", ["nobody"], /nobody else/],
  ["left", { left: true }, "left", [], /left/],
  // Whoever comes in is not told of firewalls while all goes well.
  [
    "coming in",
    { introducedCount: 2 },
    "isolated",
    ["linking"],
    /of 2 others here: one is in the making/,
  ],
  ["in vain", { introducedCount: 1, failedLinks: 1 }, "isolated", ["unreachable"], /firewall/],
  [
    "refused",
    {
      introducedCount: 1,
      failedLinks: 1,
      refusal: { code: "secret", message: "the same secret, please" },
    },
    "isolated",
    ["refused"],
    /of 1 others here: the same secret, please/,
  ],
  ["cut off", { peerCount: 4, wasLinked: true }, "isolated", ["cut-off", "linking"], /were lost/],
  ["no seed", { seeds: [] }, "isolated", ["no-seed"], /invite somebody/],
  [
    "all gone",
    { wasLinked: true, seeds: [seed("waiting", "gone")] },
    "isolated",
    ["cut-off", "seed-away"],
    /not connected to ws:\/\/waiting \(gone\)/,
  ],
])("%s", (_, signs, state, reasons, why) => {
  const health = healthOf({ ...SIGNS, ...signs });
  expect([health.state, health.reasons]).toEqual([state, reasons]);
  expect(health.why).toMatch(why);
});

test("a store that cannot be written is said, whatever else is so", () => {
  const health = healthOf({ ...SIGNS, linkCount: 1, ephemeral: true, storeFailed: true });
  expect(health.reasons).toEqual(["identity-ephemeral", "store-failed"]);
  expect(health.why).toMatch(/linked with .*https.*not kept/);
});

test("an identity that cannot be kept is said, whatever else is so", () => {
  const health = healthOf({ ...SIGNS, linkCount: 1, ephemeral: true });
  expect([health.state, health.reasons]).toEqual(["ok", ["identity-ephemeral"]]);
  expect(health.why).toMatch(/linked with .*https/);
});
