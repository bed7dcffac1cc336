import { expect, test } from "vitest";
import { watchPage } from "../../../src/runtime/page.ts";

/** A page whose events a test makes, and what it was told of them. */
function page(visibilityState: DocumentVisibilityState = "visible") {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState });
  const told: string[] = [];
  const end = watchPage(
    {
      ending: () => told.push("ending"),
      returned: () => told.push("returned"),
      mayFreeze: (value) => told.push(`mayFreeze ${value}`),
      suspending: () => told.push("suspending"),
      resumed: () => told.push("resumed"),
      online: () => told.push("online"),
    },
    { window, document },
  );
  const fire = (target: EventTarget, type: string, persisted?: boolean): string[] => {
    const event = new Event(type);
    target.dispatchEvent(persisted === undefined ? event : Object.assign(event, { persisted }));
    return told.splice(0);
  };
  return {
    window: (type: string, persisted?: boolean) => fire(window, type, persisted),
    document: (type: string) => fire(document, type),
    becomes: (state: DocumentVisibilityState) => {
      document.visibilityState = state;
      return fire(document, "visibilitychange");
    },
    told,
    end,
  };
}

test("a page tells from the start whether it may be frozen", () => {
  expect(page().told).toEqual(["mayFreeze false"]);
  expect(page("hidden").told).toEqual(["mayFreeze true"]);
});

test("hidden only means that it may be frozen", () => {
  const { becomes, told } = page();
  told.length = 0;
  expect(becomes("hidden")).toEqual(["mayFreeze true"]);
  expect(becomes("visible")).toEqual(["mayFreeze false"]);
});

test("freeze and resume are the beginning and the end of sleep", () => {
  const { document, told } = page();
  told.length = 0;
  expect(document("freeze")).toEqual(["suspending"]);
  expect(document("resume")).toEqual(["resumed"]);
});

test("a page that is left ends, and begins again if the browser kept it and shows it once more", () => {
  const { window, told, end } = page();
  told.length = 0;
  // The first show of every page.
  expect(window("pageshow", false)).toEqual([]);
  expect(window("pagehide", true)).toEqual(["ending"]);
  // What has ended follows its page no more, and yet returns with it.
  end();
  expect(window("pageshow", true)).toEqual(["returned"]);
  expect(window("pageshow", true), "once").toEqual([]);
});

test("a page that the browser does not keep only ends", () => {
  const { window, told } = page();
  told.length = 0;
  expect(window("pagehide", false)).toEqual(["ending"]);
  expect(window("pageshow", true)).toEqual([]);
});

test("the network is told of when it comes", () => {
  const { window, told } = page();
  told.length = 0;
  expect(window("online")).toEqual(["online"]);
  expect(window("offline")).toEqual([]);
});

test("after its end nothing is told", () => {
  const { window, document, becomes, end, told } = page();
  told.length = 0;
  end();
  expect(becomes("hidden")).toEqual([]);
  expect([...document("freeze"), ...document("resume")]).toEqual([]);
  expect([...window("pagehide", false), ...window("pageshow", true)]).toEqual([]);
  expect(window("online")).toEqual([]);
});

test("where there is neither window nor document, nothing is told and nothing fails", () => {
  const told: unknown[] = [];
  const tell = (...args: unknown[]): void => void told.push(args);
  const life = {
    ending: tell,
    returned: tell,
    mayFreeze: tell,
    suspending: tell,
    resumed: tell,
    online: tell,
  };
  watchPage(life, { window: undefined, document: undefined })();
  expect(told).toEqual([[false]]);
});
