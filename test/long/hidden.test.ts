// A hidden tab is throttled to one timer a second, and yet a member like all others: nobody ever takes it for gone.
// This watches for long and does little, so it runs beside other tests, and their load is a part of it.
import process from "node:process";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allLinked, each, inMs, seen, without } from "../support/actors.ts";
import { BrowserWindow, timerMs, visibilityOf } from "../support/browser-window.ts";
import { wallMs } from "../support/member.ts";
import { type Actor, Stage, type TabActor } from "../support/stage.ts";

const WATCHED_MS = 1_000 * Number(process.env["HEARSAY_HIDDEN_SECONDS"] ?? 90);

const stage = new Stage("hidden");
let window: BrowserWindow;
let hidden: TabActor;
let all: Actor[];

beforeAll(async () => {
  await stage.startServer();
  window = await BrowserWindow.open();
  hidden = await stage.tab({}, window.context);
  // Behind this one.
  const shown = await stage.tab({}, window.context);
  await shown.page.bringToFront();
  all = [hidden, shown, await stage.node(), await stage.child()];
  await allLinked(all);
}, 60_000);
afterAll(async () => {
  await window?.close();
  await stage.close();
});

test(
  `row 54: a tab that is hidden for ${WATCHED_MS / 1_000} s is never taken for gone`,
  async () => {
    expect(await visibilityOf(hidden.page)).toBe("hidden");
    const others = without(all, hidden);
    const since = wallMs();
    const late: number[] = [];
    const heard: number[] = [];
    for (let i = 0; wallMs() - since < WATCHED_MS; i++) {
      // Its own throttled timer is what this waits for.
      late.push(await timerMs(hidden.page));
      const said = wallMs();
      await each(others, ({ member }) => member.say("to-hidden", i));
      await hidden.member.untilHeard("to-hidden", (i + 1) * others.length);
      await hidden.member.say("from-hidden", i);
      await each(others, ({ member }) => member.untilHeard("from-hidden", i + 1));
      heard.push(wallMs() - said);
    }
    late.sort((a, b) => a - b);
    heard.sort((a, b) => a - b);
    const middle = Math.floor(late.length / 2);
    process.stdout.write(
      `hidden for ${inMs([wallMs() - since])} ms: a timer takes ${inMs([late[middle] ?? 0])} ms (median), ` +
        `there and back ${inMs([heard[middle] ?? 0, heard.at(-1) ?? 0])} ms (median, worst)\n`,
    );
    // The first timers come while the browser has not begun to throttle yet.
    expect(late[middle]).toBeGreaterThan(900);
    expect(await visibilityOf(hidden.page)).toBe("hidden");
    const gone = /^(peer:(suspect|asleep|down|leave)|link:(down|failed)|offline|gap|refused)$/;
    expect(await seen(all, ({ event }) => gone.test(event))).toEqual([]);
    for (const { member } of all) expect(await member.errors()).toEqual([]);
  },
  WATCHED_MS + 60_000,
);
