import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HearsayError } from "../../src/errors.ts";
import { checkName, matcherOf } from "../../src/mesh/pattern.ts";

describe("patterns", () => {
  const rows: [pattern: string, matches: string[], misses: string[]][] = [
    ["chat", ["chat"], ["chat.message", "cha", "chats", ""]],
    ["chat.*", ["chat.message", "chat:message", "chat."], ["chat", "chat.a.b", "chats.a"]],
    ["chat.**", ["chat", "chat.a", "chat.a:b.c"], ["chats", "a.chat"]],
    ["*", ["chat", ""], ["chat.a"]],
    ["**", ["chat", "chat.a.b", ""], []],
    ["*.chat", ["a.chat"], ["chat", "a.b.chat"]],
    ["**.chat", ["chat", "a.chat", "a.b.chat", "chat.chat"], ["chat.a"]],
    ["a.**.z", ["a.z", "a.b.z", "a.b.c.z", "a.z.z"], ["a", "z", "a.b", "b.z"]],
    ["a.*.**.z", ["a.b.z", "a.b.c.z"], ["a.z"]],
    ["a.**.m.**.z", ["a.m.z", "a.b.m.c.z", "a.m.m.z"], ["a.z", "a.b.z"]],
    ["a:b", ["a:b"], ["a.b"]],
    ["a:*", ["a:b", "a.b"], ["a"]],
    ["chat.m*", ["chat.m*"], ["chat.message"]],
    ["a.+(b)", ["a.+(b)"], ["a.bb"]],
  ];
  for (const [pattern, matching, missing] of rows) {
    test(pattern, () => {
      const matches = matcherOf(pattern);
      expect(matching.filter((name) => !matches(name))).toEqual([]);
      expect(missing.filter((name) => matches(name))).toEqual([]);
    });
  }

  test("against regular expressions", () => {
    const segment = fc.constantFrom("a", "b", "ab", "");
    const pattern = fc.array(fc.oneof(segment, fc.constantFrom("*", "**")), {
      minLength: 1,
      maxLength: 6,
    });
    const name = fc.array(segment, { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pattern, name, (pattern, name) => {
        fc.pre(pattern.join(".") !== "" && pattern.some((one) => one.includes("*")));
        // Each segment with a separator before it.
        const parts = pattern.map((one) =>
          one === "**" ? "(\\.[^.]*)*" : one === "*" ? "\\.[^.]*" : `\\.${one}`,
        );
        const expected = new RegExp(`^${parts.join("")}$`).test(`.${name.join(".")}`);
        expect(matcherOf(pattern.join("."))(name.join("."))).toBe(expected);
      }),
      { numRuns: 5_000 },
    );
  });

  test("a name made to be slow is not", () => {
    const matches = matcherOf(`${"**.a.".repeat(12)}z`);
    expect(matches(new Array(128).fill("a").join("."))).toBe(false);
  });
});

describe("names", () => {
  const bad: unknown[] = ["", "a*", "*", "x".repeat(65), 7, null, undefined, {}, ["a"]];
  test("have 1 to 64 characters and no wildcard", () => {
    for (const name of ["a", "x".repeat(64), "a b", "💬"])
      expect(() => checkName(name)).not.toThrow();
    for (const name of bad) expect(codeOf(() => checkName(name))).toBe("name:bad");
  });

  test("patterns too, but for wildcards", () => {
    for (const pattern of bad.filter((one) => one !== "a*" && one !== "*")) {
      expect(codeOf(() => matcherOf(pattern))).toBe("name:bad");
    }
  });

  test("what was wrong is shown, and not at any length", () => {
    expect(() => checkName("x".repeat(1e6))).toThrow(/^.{1,200}$/);
  });
});

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    return error instanceof HearsayError ? error.code : String(error);
  }
  return undefined;
}
