import fc from "fast-check";
import { expect, test } from "vitest";
import { Greeting, type Step } from "../../src/session/greeting.ts";
import { primitives as noble } from "../../src/session/primitives.noble.ts";
import { sessionOf } from "../support/sessions.ts";

/** What somebody on the way does to one frame of the handshake. */
const change = fc.oneof(
  fc.record({ type: fc.constant("set" as const), at: fc.nat(400), byte: fc.nat(255) }),
  fc.record({ type: fc.constant("cut" as const), at: fc.nat(400) }),
  fc.record({ type: fc.constant("append" as const), bytes: fc.uint8Array({ minLength: 1 }) }),
  fc.record({ type: fc.constant("replace" as const), bytes: fc.uint8Array({ maxLength: 400 }) }),
);
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function changed(frame: Uint8Array, how: Change): Uint8Array {
  switch (how.type) {
    case "set":
      return frame.map((byte, i) => (i === how.at % frame.length ? how.byte : byte));
    case "cut":
      return frame.subarray(0, how.at % frame.length);
    case "append":
      return Uint8Array.of(...frame, ...how.bytes);
    case "replace":
      return how.bytes;
  }
}

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

test("row 45: a handshake of which anything was changed never throws and proves nothing", async () => {
  const sessions = await Promise.all([sessionOf(), sessionOf({ primitives: noble })]);
  const property = fc.asyncProperty(
    fc.nat(2),
    fc.array(change, { minLength: 1, maxLength: 3 }),
    fc.boolean(),
    async (at, changes, swap) => {
      const [one, two] = swap ? [...sessions].reverse() : sessions;
      const binding = Uint8Array.of(1);
      const ends = [one, two].map(
        (session, i) => new Greeting(session ?? expect.fail(), { initiator: i === 0, binding }),
      ) as [Greeting, Greeting];
      let frame = ends[0].begin();
      for (let index = 0; index < 3; index++) {
        const spoilt = index === at ? changes.reduce(changed, frame) : frame;
        const reader = ends[(index + 1) % 2] as Greeting;
        const step: Step = await reader.take(spoilt);
        if (index === at && !same(spoilt, frame)) {
          expect(step.type).toBe("refused");
          expect((await reader.take(frame)).type).toBe("refused");
          return;
        }
        expect(step.type).toBe(index === 0 ? "answer" : "proven");
        if (step.type !== "refused" && step.frame !== undefined) frame = step.frame;
      }
    },
  );
  await fc.assert(property, { numRuns: 400 });
});
