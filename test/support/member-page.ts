/** Runs in a tab: a member that tests drive from outside. Bundled with no settings, as a user would. */
import { indexedDbStore, join, webrtcTransport } from "../../src/index.browser.ts";
import { Member } from "./member.ts";

Object.assign(globalThis, {
  indexedDbStore,
  member: new Member(join, async () => webrtcTransport(), indexedDbStore),
});
