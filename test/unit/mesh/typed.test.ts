// What an application says of its names and keys is held by the compiler; this file has to compile.
import { expectTypeOf, test } from "vitest";
import type { Heard, Known, Mesh, Peer } from "../../../src/index.ts";

interface Types {
  state: { cursor: { x: number; y: number }; status?: string };
  events: { "chat.message": { text: string }; ping: undefined };
  channels: { thumbnails: { image: string } };
}

/** Compiled, never called. */
function typed(mesh: Mesh<Types>, peer: Peer): void {
  mesh.set("cursor", { x: 1, y: 2 });
  // @ts-expect-error no such key
  mesh.set("cursr", { x: 1, y: 2 });
  // @ts-expect-error not what the key holds
  mesh.set("cursor", { x: 1 });
  expectTypeOf(mesh.get("cursor")).toEqualTypeOf<{ x: number; y: number } | undefined>();
  expectTypeOf(mesh.peers.get("id")?.get("status")).toEqualTypeOf<string | undefined>();
  // @ts-expect-error no such key
  mesh.peers.get("id")?.get("nothing");
  mesh.know("cursor", (_peer, value) => {
    expectTypeOf(value).toEqualTypeOf<{ x: number; y: number } | undefined>();
  });
  // @ts-expect-error no such key, and no pattern
  mesh.know("cursr", () => {});
  mesh.know("**", (_peer, value) => expectTypeOf(value).toEqualTypeOf<unknown>());
  expectTypeOf(mesh.know("status")).toExtend<AsyncIterable<Known<string | undefined>>>();

  mesh.say("chat.message", { text: "hello" });
  mesh.say("ping");
  // @ts-expect-error it carries something
  mesh.say("chat.message");
  // @ts-expect-error no such name
  mesh.say("chat");
  mesh.send(peer, "chat.message", { text: "hello" });
  mesh.hear("chat.message", ({ text }) => expectTypeOf(text).toEqualTypeOf<string>());
  mesh.hear<{ text: string }>("chat.*", ({ text }) => expectTypeOf(text).toEqualTypeOf<string>());
  expectTypeOf(mesh.hearOnce("chat.message")).resolves.toEqualTypeOf<Heard<{ text: string }>>();
  // @ts-expect-error no such name, and no pattern
  mesh.hear("chat.mesage", () => {});

  const queue = mesh.channel("thumbnails", { kind: "queue" });
  void queue.publish({ image: "cat.png" });
  // @ts-expect-error not what its jobs carry
  void queue.publish({ picture: "cat.png" });
  queue.subscribe(({ data }) => expectTypeOf(data).toEqualTypeOf<{ image: string }>());
  // @ts-expect-error no such channel
  mesh.channel("thumbs", { kind: "queue" });
}

/** Without types everything goes. */
function untyped(mesh: Mesh): void {
  mesh.set("anything", 1);
  mesh.say("anything");
  mesh.hear("anything", (data) => expectTypeOf(data).toEqualTypeOf<unknown>());
  mesh.hear<string>("anything", (data) => expectTypeOf(data).toEqualTypeOf<string>());
  mesh.know("a", (_peer, value: number | undefined) => value);
  expectTypeOf(mesh.get("anything")).toEqualTypeOf<unknown>();
}

test("a typed mesh serves where any mesh does", () => {
  expectTypeOf(typed).parameter(0).toExtend<Mesh<Types>>();
  expectTypeOf(untyped).parameter(0).toExtend<Mesh>();
});
