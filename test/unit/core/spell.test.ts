import { expect, test } from "vitest";
import { Spell } from "../../../src/core/lib/spell.ts";

test("a spell lasts from when it was first seen, and begins anew after a gap", () => {
  const spell = new Spell();
  expect([0, 1_000, 2_500].map((now) => spell.lastsMs(now, 2_000))).toEqual([0, 1_000, 2_500]);
  expect([5_000, 6_000].map((now) => spell.lastsMs(now, 2_000))).toEqual([0, 1_000]);
});
