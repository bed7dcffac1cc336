/** Runs in a tab: a member that tests drive from outside. Bundled with no settings, as a user would. */
import { join, webrtcTransport } from "../../src/index.browser.ts";
import { Member } from "./member.ts";

Object.assign(globalThis, { member: new Member(join, async () => webrtcTransport()) });
