import type { Page } from "playwright";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { join } from "../../src/index.node.ts";
import {
  allTogether,
  DemoStage,
  healthOf,
  nameOf,
  othersOf,
  SOON,
  saidIn,
  say,
  serve,
} from "./demo-stage.ts";

let stage: DemoStage;
beforeAll(async () => {
  stage = await DemoStage.open();
});
afterAll(() => stage.close());
afterEach(async () => {
  expect(await stage.endTest()).toEqual([]);
});

const tabs = (count: number, cluster: string): Promise<Page[]> =>
  Promise.all(Array.from({ length: count }, () => stage.tab(cluster)));

/** The rows of the inspector as `name key value`. */
function stateIn(page: Page): Promise<string[]> {
  return page.locator("#state-rows tr").evaluateAll((rows) => {
    let owner = "";
    return rows.map((row) => {
      owner = row.querySelector("th")?.textContent ?? owner;
      const [key, value] = row.querySelectorAll("td");
      return `${owner} ${key?.textContent} ${value?.textContent}`;
    });
  });
}

async function setState(page: Page, key: string, value: string): Promise<void> {
  await page.locator("#state-key").fill(key);
  await page.locator("#state-value").fill(value);
  await page.locator("#state-value").press("Enter");
}

test("row 54: alone a tab says so, and what to do; the second one finds it", async () => {
  const first = await stage.tab("alone");
  await expect.poll(() => healthOf(first), SOON).toBe("alone");
  await first.getByText("You are the first one here.").waitFor();
  const [second] = await Promise.all([
    first.context().waitForEvent("page"),
    first.locator("#hint-open").click(),
  ]);
  await allTogether([first, second]);
  expect(await nameOf(first)).not.toBe(await nameOf(second));
  expect(await first.locator("#hint").isVisible()).toBe(false);
});

test("row 33: three tabs see each other, and each hears once what another says", async () => {
  const [a, b, c] = (await tabs(3, "chat")) as [Page, Page, Page];
  await allTogether([a, b, c]);
  await say(a, "one");
  for (const page of [b, c]) await expect.poll(() => saidIn(page), SOON).toEqual(["one"]);
  const long = `two ${"x".repeat(1_500)}`;
  await say(b, long);
  // What came twice would stand before the answer by now.
  for (const page of [a, b, c]) await expect.poll(() => saidIn(page), SOON).toEqual(["one", long]);
  expect(await a.locator(".chat-name").allTextContents()).toEqual([
    `${await nameOf(a)} (you)`,
    await nameOf(b),
  ]);
});

test("rows 24 and 25: what a tab sets is shown in the others, and what it deletes is not", async () => {
  const [a, b] = (await tabs(2, "state")) as [Page, Page];
  await allTogether([a, b]);
  const name = await nameOf(a);
  await setState(a, "mood", '{ "good": true }');
  await setState(a, "words", "not { JSON");
  const both = [`${name} mood { good: true }`, `${name} words not { JSON`];
  await expect.poll(() => stateIn(b), SOON).toEqual(expect.arrayContaining(both));
  await a.getByLabel("Delete mood").click();
  await expect.poll(() => stateIn(b), SOON).not.toContain(both[0]);
  expect(await stateIn(b)).toContain(both[1]);
  await setState(a, "with*star", "x");
  await a.getByText("stands for others only where one listens").waitFor();
});

test("row 14: a tab that is closed is gone at once, with its cursor, its notes and its lines", async () => {
  const [a, b] = (await tabs(2, "board")) as [Page, Page];
  await allTogether([a, b]);
  await b.getByRole("button", { name: "Add a note" }).click();
  await b.getByLabel("Text of your note").fill("mine");
  const box = await b.locator("#board").boundingBox();
  if (box === null) throw new Error("no board");
  const [x, y] = [box.x + box.width - 60, box.y + box.height - 60];
  await b.mouse.move(x, y);
  await b.mouse.down();
  await b.mouse.move(x + 30, y + 20, { steps: 5 });
  await b.mouse.up();
  await expect.poll(() => a.locator(".note-text").textContent(), SOON).toBe("mine");
  await a.locator(".cursor").waitFor();
  await expect.poll(() => stateIn(a), SOON).toContainEqual(expect.stringContaining("ink.0 ["));
  expect(await a.locator("#board-empty").isVisible()).toBe(false);

  const name = await nameOf(b);
  await b.close({ runBeforeUnload: true });
  await expect.poll(() => othersOf(a), SOON).toEqual([]);
  await expect.poll(() => a.locator(".note, .cursor").count(), SOON).toBe(0);
  await a.locator("#board-empty").waitFor();
  await a.locator("#log-lines").getByText(`${name} left`).waitFor();
  // It stays in sight for a moment, marked, and then makes room.
  await expect.poll(() => a.locator(".person").count(), SOON).toBe(1);
});

test("row 5: without the server chat, state and new names go on; with it again all is ok", async () => {
  const all = (await tabs(3, "plug")) as [Page, Page, Page];
  const [a, b, c] = all;
  await allTogether(all);
  for (const page of all) await page.getByRole("button", { name: "Disconnect server" }).click();
  for (const page of all) await expect.poll(() => healthOf(page), SOON).toBe("degraded");
  await say(a, "still there?");
  await say(c, "still here");
  for (const page of all) {
    await expect
      .poll(async () => (await saidIn(page)).sort(), SOON)
      .toEqual(["still here", "still there?"]);
  }
  await setState(b, "mood", "calm");
  await expect.poll(() => stateIn(a), SOON).toContain(`${await nameOf(b)} mood calm`);
  await b.getByLabel("Your name").fill("Renamed Robin");
  await b.getByLabel("Your name").press("Enter");
  for (const page of [a, c])
    await expect.poll(() => othersOf(page), SOON).toContain("Renamed Robin");
  for (const page of all) await page.getByRole("button", { name: "Connect server" }).click();
  for (const page of all) await expect.poll(() => healthOf(page), SOON).toBe("ok");
});

/** Lets `host` invite `guest`, who has the invitation already, and waits until both say that they are linked. */
async function finishInvitation(host: Page, guest: Page): Promise<void> {
  const reply = guest.locator("#take-reply");
  await expect.poll(() => reply.inputValue(), SOON).toMatch(/^hearsay-reply:/);
  await host.locator("#give-reply").fill(await reply.inputValue());
  for (const [given, taken] of [
    ["#give-code", "#take-code"],
    ["#give-reply-code", "#take-reply-code"],
  ] as const) {
    const code = await host.locator(given).textContent();
    expect(code).toMatch(/^[2-9A-Z]{5}$/);
    expect(await guest.locator(taken).textContent()).toBe(code);
  }
  await host.getByRole("button", { name: "Link us" }).click();
  await host.getByText("Linked. The newcomer is in the mesh.").waitFor();
  await guest.getByText("Linked. You are in the mesh.").waitFor();
  for (const page of [host, guest]) await page.keyboard.press("Enter");
  for (const page of [host, guest]) await page.locator("#invite").waitFor({ state: "hidden" });
}

async function invitationOf(host: Page): Promise<string> {
  await host.getByRole("button", { name: "Invite" }).click();
  const text = host.locator("#give-text");
  await expect.poll(() => text.inputValue(), SOON).toMatch(/^hearsay-invitation:/);
  await host.locator("#give-qr canvas").waitFor();
  return text.inputValue();
}

test("row 1: a fresh tab joins by an invitation's link while nobody is connected to the server", async () => {
  const [a, b] = (await tabs(2, "invite")) as [Page, Page];
  await allTogether([a, b]);
  for (const page of [a, b]) await page.getByRole("button", { name: "Disconnect server" }).click();
  await expect.poll(() => healthOf(b), SOON).toBe("degraded");
  await invitationOf(a);
  const guest = await stage.tabAt((await a.locator("#give-link").getAttribute("href")) ?? "");
  await expect.poll(() => guest.locator("#server-state").textContent(), SOON).toBe("not used");
  expect(guest.url()).not.toContain("#");
  await finishInvitation(a, guest);
  await allTogether([a, b, guest]);
  await say(guest, "nobody introduced us");
  await expect.poll(() => saidIn(b), SOON).toEqual(["nobody introduced us"]);
});

test("an invitation can be pasted as text, and a wrong text says what is wrong with it", async () => {
  const host = await stage.tab("paste");
  await expect.poll(() => healthOf(host), SOON).toBe("alone");
  await host.getByRole("button", { name: "Disconnect server" }).click();
  const guest = await stage.tab("paste", { query: "server=none" });
  await guest.getByRole("button", { name: "Invite" }).click();
  await guest.getByLabel("I am invited").check();
  await guest.locator("#take-text").fill("nonsense");
  await guest.getByRole("button", { name: "Make the reply" }).click();
  await guest.getByText("copy all of it").waitFor();
  await guest.locator("#take-text").fill(await invitationOf(host));
  await guest.getByRole("button", { name: "Make the reply" }).click();
  await finishInvitation(host, guest);
  await allTogether([host, guest]);
});

test("a server that cannot be reached leaves the page whole, and it connects when asked again", async () => {
  const away = await serve(0);
  const { port } = away;
  await away.close();
  const page = await stage.tab("away", {
    query: `server=ws://127.0.0.1:${port}`,
    expected: /WebSocket connection .* failed/,
  });
  await expect
    .poll(() => page.locator("#server-state").textContent(), SOON)
    .toMatch(/not reachable/);
  expect(await healthOf(page)).toBe("isolated");
  await say(page, "anybody?");
  await page.getByText("nobody else is here to hear it").waitFor();
  const back = await serve(port);
  try {
    // It tries again by itself too: then the button says something else, and there is nothing to press.
    const connected = expect.poll(() => healthOf(page), SOON).toBe("alone");
    await Promise.race([page.getByRole("button", { name: "Try again now" }).click(), connected]);
    await connected;
  } finally {
    await page.close();
    await back.close();
  }
});

test("an address that makes no sense is explained, and the page works all the same", async () => {
  const page = await stage.tab("address", { query: "server=javascript:alert(1)" });
  await page.getByText("the server in the address is no URL").waitFor();
  await expect.poll(() => healthOf(page), SOON).toBe("alone");
});

test("a reload keeps the name", async () => {
  const page = await stage.tab("reload");
  await page.getByLabel("Your name").fill("Steady Stoat");
  await page.getByLabel("Your name").press("Enter");
  await page.reload();
  await expect.poll(() => nameOf(page), SOON).toBe("Steady Stoat");
  // A page that is closed while it connects says so in its console.
  await expect.poll(() => healthOf(page), SOON).toBe("alone");
});

test("row 45: whatever a peer sets and says, the page shows texts, clipped, and nothing breaks", async () => {
  const page = await stage.tab("hostile");
  const markup = "<img src=x onerror=alert(1)>";
  const seeds = [`ws://127.0.0.1:${stage.server.port}`];
  const meta = { name: `${markup}\u202E${"Z\u0301".repeat(200)}`, colour: -1, since: "now" };
  const hostile = await join({ cluster: "hostile", seeds, name: "hostile", meta });
  try {
    await expect.poll(() => page.locator(".person-name").count(), SOON).toBe(1);
    for (const text of [7, null, [], { text: 1 }, { text: "" }]) hostile.say("chat.message", text);
    hostile.set("cursor", [Number.NaN, 1e9]);
    hostile.set(
      "ink.0",
      Array.from({ length: 5_000 }, () => 1),
    );
    hostile.set("ink.1", [1, "2"]);
    hostile.set("note.0", { x: -1, y: 0, text: "no" });
    hostile.set("note.1", { x: 5, y: 5, text: markup + "w".repeat(5_000) });
    hostile.set("__proto__", { nested: { deep: { deeper: { deepest: markup } } } });
    hostile.set("big", markup + "b".repeat(200_000));
    for (let i = 0; i < 100; i++) hostile.set(`many.${i}`, i);
    hostile.config.set("work.picture", { at: 1e15, by: "me", scene: 0 });
    const picture = { at: Date.now(), by: markup, scene: 1 };
    const done = { picture, tile: 0, pixels: new Uint8Array(4_096), by: { id: "", name: 7 } };
    for (const data of [7, null, { picture: 7 }, { ...done, tile: 96 }, { ...done, pixels: [] }]) {
      hostile.say("work.done", data);
    }
    hostile.say("work.done", done);
    await hostile.channel("work", { kind: "queue", durable: false }).publish(markup);
    hostile.say("chat.message", { text: markup + "m".repeat(50_000) });
    await expect.poll(() => saidIn(page), SOON).toEqual([expect.stringContaining(markup)]);
    await expect.poll(() => page.locator(".note").count(), SOON).toBe(1);
    await page.getByText("more keys").waitFor();
    await expect.poll(() => page.locator("#work-count").textContent(), SOON).toMatch(/^1 of 96/);
    expect((await saidIn(page))[0]?.length).toBe(2_000);
    expect((await page.locator(".note-text").textContent())?.length).toBe(200);
    expect(await page.locator(".cursor, img").count()).toBe(0);
    expect(await page.locator(".person-name").textContent()).toMatch(
      /^<img src=x onerror=alert\(1\)>?…?$/,
    );
    const lengths = (await stateIn(page)).map((row) => row.length);
    expect(Math.max(...lengths)).toBeLessThan(250);
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
  } finally {
    await hostile.leave();
  }
});
