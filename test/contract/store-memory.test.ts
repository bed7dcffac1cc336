import { describe, expect, test } from "vitest";
import { memoryStore } from "../../src/store/memory.ts";
import { storeChecks } from "../../src/testing/store-suite.ts";

describe("store in memory", () => {
  for (const check of storeChecks(() => memoryStore())) test(check.name, check.run);

  test("says store:full, keeps what was there, and takes what fits", async () => {
    const store = await memoryStore({ bytesMax: 100 })();
    await store.write([{ key: "a", value: new Uint8Array(60) }]);
    const tooMuch = [
      { key: "a", value: undefined },
      { key: "b", value: new Uint8Array(101) },
    ];
    await expect(store.write(tooMuch)).rejects.toMatchObject({ code: "store:full" });
    expect((await store.range("", "z")).map(({ key }) => key)).toEqual(["a"]);
    await store.write([{ key: "b", value: new Uint8Array(40) }]);
    await store.close();
  });
});
