// What every test below relies on: that this machine lets two ends meet over WebRTC. When these fail, look at
// the network and the packages before looking at hearsay.
import { once } from "node:events";
import { type Browser, chromium, type Page } from "playwright";
import Peer from "simple-peer";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import wrtc from "wrtc";
import { launchOptions } from "../support/chromium.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await chromium.launch(launchOptions());
});
afterAll(() => browser.close());

/** Runs in the page: makes a connection, says its description once all its candidates are in it. */
function describeSelf(offer: string): Promise<string> {
  const connection = new RTCPeerConnection();
  const opened = offer
    ? new Promise<RTCDataChannel>((resolve) => {
        connection.ondatachannel = ({ channel }) => resolve(channel);
      })
    : Promise.resolve(connection.createDataChannel("lane"));
  const heard = opened.then(
    (channel) =>
      new Promise<string>((resolve) => {
        channel.onmessage = ({ data }) => resolve(data);
        const say = () =>
          channel.send(offer ? "hello from the answerer" : "hello from the offerer");
        if (channel.readyState === "open") say();
        else channel.onopen = say;
      }),
  );
  Object.assign(globalThis, { connection, heard });
  return new Promise((resolve, reject) => {
    connection.onicecandidate = ({ candidate }) => {
      if (!candidate) resolve(JSON.stringify(connection.localDescription));
    };
    (offer ? connection.setRemoteDescription(JSON.parse(offer)) : Promise.resolve())
      .then(() => connection.setLocalDescription())
      .catch(reject);
  });
}

const accept = (page: Page, answer: string): Promise<void> =>
  page.evaluate(
    (text) =>
      (Reflect.get(globalThis, "connection") as RTCPeerConnection).setRemoteDescription(
        JSON.parse(text),
      ),
    answer,
  );
const heard = (page: Page): Promise<string> =>
  page.evaluate(() => Reflect.get(globalThis, "heard"));

test("two tabs exchange a message over a data channel", async () => {
  const offerer = await (await browser.newContext()).newPage();
  const answerer = await (await browser.newContext()).newPage();
  const answer = await answerer.evaluate(describeSelf, await offerer.evaluate(describeSelf, ""));
  await accept(offerer, answer);
  expect(await Promise.all([offerer, answerer].map(heard))).toEqual([
    "hello from the answerer",
    "hello from the offerer",
  ]);
});

test("two connections in one Node process exchange a message", async () => {
  const options = { wrtc, trickle: true, objectMode: true };
  const offerer = new Peer({ ...options, initiator: true });
  const answerer = new Peer(options);
  onTestFinished(() => {
    offerer.destroy();
    answerer.destroy();
  });
  offerer.on("signal", (data) => answerer.signal(data));
  answerer.on("signal", (data) => offerer.signal(data));
  offerer.on("connect", () => offerer.send("hello from the offerer"));
  await expect(once(answerer, "data")).resolves.toEqual(["hello from the offerer"]);
});
