// The command `hearsay` as its users run it: programs that meet through a server, over WebRTC.
import { expect, test } from "vitest";
import { hearsay, NO_WRTC, peer, runNode, serve } from "./cli-support.ts";

test("two peers see each other, hear what is said once, and know what is set", async () => {
  const { url } = await serve();
  const alice = peer(`${url}/demo`, "--name", "alice", "--role", "host", "--know", "**");
  await alice.sees("joined", { cluster: "demo" });
  const bob = peer(
    `${url}/demo`,
    "--name",
    "bob",
    "--say",
    "hello",
    "--set",
    "mood=good",
    "--set",
    "n=[1,2]",
  );
  await bob.sees("peer:join", { peer: "alice" });
  await bob.sees("link:up", { peer: "alice", transport: "udp" });
  await alice.sees("peer:join", { peer: "bob" });
  await alice.sees("known", { peer: "bob", key: "mood", value: "good" });
  await alice.sees("known", { peer: "bob", key: "n", value: [1, 2] });
  await alice.sees("heard", {
    peer: "bob",
    name: "chat.message",
    data: { text: "hello" },
    direct: false,
  });
  bob.child.stdin?.write("first line\n\nlast line\n");
  await alice.sees("heard", { peer: "bob", data: { text: "last line" } });
  const heard = alice.lines().filter(({ event }) => event === "heard");
  expect(heard.map(({ data }) => data)).toEqual([
    { text: "hello" },
    { text: "first line" },
    { text: "last line" },
  ]);
});

test.each(["SIGTERM", "SIGINT"] as const)(
  "a peer that gets %s takes its leave, and the other sees it at once (row 14)",
  async (signal) => {
    const { url } = await serve();
    const stays = peer(`${url}/demo`, "--name", "stays");
    const goes = peer(`${url}/demo`, "--name", "goes");
    await stays.sees("link:up", { peer: "goes" });
    await goes.sees("link:up", { peer: "stays" });
    goes.child.kill(signal);
    expect(await goes.exit()).toBe(0);
    expect(goes.lines().at(-1)).toMatchObject({ event: "left", reason: "asked to" });
    await stays.sees("peer:leave", { peer: "goes" });
    const ends = stays.lines().filter(({ event }) => /^peer:(suspect|down|leave)$/.test(event));
    expect(ends.map(({ event }) => event)).toEqual(["peer:leave"]);
  },
);

test("a peer that is killed is found down", async () => {
  const { url } = await serve();
  const stays = peer(`${url}/demo`, "--name", "stays");
  const dies = peer(`${url}/demo`, "--name", "dies");
  await stays.sees("link:up", { peer: "dies" });
  dies.child.kill("SIGKILL");
  await stays.sees("peer:down", { peer: "dies" });
});

test("the mesh lives on without the server, and says so", async () => {
  const server = await serve();
  const alice = peer(`${server.url}/demo`, "--name", "alice");
  const bob = peer(`${server.url}/demo`, "--name", "bob");
  await Promise.all([
    alice.sees("link:up", { peer: "bob" }),
    bob.sees("link:up", { peer: "alice" }),
  ]);
  server.child.kill("SIGTERM");
  expect(await server.exit()).toBe(0);
  const { why } = await alice.sees("health", { state: "degraded" });
  expect(why).toMatch(/the mesh lives on/);
  alice.child.stdin?.write("still here\n");
  await bob.sees("heard", { peer: "alice", data: { text: "still here" } });
});

test("for people, what comes from others cannot act on the terminal", async () => {
  const { url } = await serve();
  const reader = hearsay("peer", `${url}/demo`, "--hear", "chat.message", "--know", "**");
  await reader.until(
    "that it is in",
    (output) => /nobody else is here yet/.test(output) || undefined,
  );
  const name = "\u001b]0;owned\u0007mal\u202elory";
  hearsay(
    "peer",
    `${url}/demo`,
    "--name",
    name,
    "--say",
    "a\u001b[2Jb\rc",
    "--set",
    'k="\u009b31m"',
  );
  await reader.until("the message", (output) => /: a.\[2Jb.c\n/u.exec(output) ?? undefined);
  await reader.until("the value", (output) => /set k = .*31m"\n/.exec(output) ?? undefined);
  expect(reader.output()).toMatch(/^\+ \ufffd]0;owned\ufffdmal\ufffdlory joined$/m);
  expect(reader.output()).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
});

test("without a server it says what to do, and exits with 1", async () => {
  const program = hearsay("peer", "ws://127.0.0.1:1/demo", "--wait", "0.3");
  expect(await program.exit()).toBe(1);
  expect(program.output()).toMatch(
    /^! not connected to ws:\/\/127\.0\.0\.1:1\/demo .*tried again$/m,
  );
  expect(program.output()).toMatch(
    /not in the mesh after 300 ms: .*Check that the signaling server runs/,
  );
});

test("a signal ends it also while it waits for a server", async () => {
  const program = hearsay("peer", "ws://127.0.0.1:1/demo", "--wait", "0");
  await program.until("that it waits", (output) => /tried again/.exec(output) ?? undefined);
  program.child.kill("SIGTERM");
  expect(await program.exit()).toBe(0);
});

test("without WebRTC it says what to install, and links over UDP", async () => {
  const first = peer("demo", "--udp", "127.0.0.1:0", "--name", "first");
  const [address] = (await first.sees("joined"))["addresses"] as string[];
  const args = ["--import", NO_WRTC, "--import", "tsx", "src/bin/hearsay.ts"];
  const program = runNode([...args, "peer", `${address}/demo`, "--name", "bare"]);
  await first.sees("link:up", { peer: "bare", transport: "udp" });
  await program.until("what to install", (output) =>
    /the optional package wrtc cannot be loaded \(npm install wrtc/.exec(output),
  );
  program.child.kill("SIGTERM");
  expect(await program.exit()).toBe(0);
});

test.each([
  [[], 2, /a command is missing\n\nUsage: hearsay COMMAND/],
  [["sevre"], 2, /no command sevre\n\nUsage: hearsay COMMAND/],
  [["help"], 0, /^Usage: hearsay COMMAND/],
  [["--version"], 0, /^\d+\.\d+\.\d+\n$/],
  [["serve", "--prot", "1"], 2, /Usage: hearsay serve/],
  [["peer", "--help"], 0, /^Usage: hearsay peer/],
  [["peer"], 2, /which cluster\?.*\n\nUsage: hearsay peer/],
  [["peer", "ws://localhost/a", "ws://localhost/b"], 2, /one cluster at a time/],
  [["peer", "http://localhost/demo"], 2, /ws:\/\/host:port or wss/],
  [["peer", "ws://localhost"], 2, /join takes ws:\/\/host:port\/cluster/],
  [["peer", "ws://localhost/demo", "--set", "novalue"], 2, /--set novalue: say KEY=VALUE/],
  [
    ["peer", "ws://localhost/demo", "--set", "a.*=1"],
    2,
    /\* stands for others only where one listens/,
  ],
  [["peer", "ws://localhost/demo", "--wait", "soon"], 2, /--wait soon: say a number of seconds/],
  [["peer", "ws://localhost/demo", "--hear", ""], 2, /a pattern has 1 to 64 characters/],
  [["peer", "ws://localhost/demo", "--nmae", "x"], 2, /--nmae/],
])("%j exits with %i", async (args, code, output) => {
  const program = hearsay(...args);
  expect(await program.exit()).toBe(code);
  expect(program.output()).toMatch(output);
});

test("peers meet by the address of one, and by a seed beside it, without any server", async () => {
  const first = peer("demo", "--udp", "127.0.0.1:0", "--name", "first");
  const joined = await first.sees("joined", { cluster: "demo" });
  const [address] = joined["addresses"] as string[];
  expect(address).toMatch(/^udp:\/\/127\.0\.0\.1:\d+$/);
  const second = peer(`${address}/demo`, "--name", "second");
  await second.sees("link:up", { peer: "first", transport: "udp" });
  const third = peer("demo", "--seed", `${address}`, "--name", "third");
  await third.sees("link:up", { peer: "second", transport: "udp" });
  for (const wrong of [["demo"], ["demo", "--udp", "nowhere"], ["demo", "--seed", "udp://x"]]) {
    expect(await hearsay("peer", ...wrong).exit()).toBe(2);
  }
});
