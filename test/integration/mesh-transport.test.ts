// A transport of somebody's own that breaks its contract: it costs a link, and not the process.
import { expect, test } from "vitest";
import { memoryTransport, type Transport } from "../../src/index.node.ts";
import { allLinked, Cluster, until } from "../support/memory-mesh.ts";

test("row 48: a transport that throws at a frame loses that link, is told of, and the members meet again", async () => {
  const cluster = await Cluster.start();
  const inner = memoryTransport(cluster.network);
  let faults = 0;
  let isFaulty = false;
  const transport: Transport = {
    kind: inner.kind,
    slowOfferer: false,
    encrypted: false,
    close: () => inner.close(),
    connect(options, handlers) {
      const link = inner.connect(options, handlers);
      const send = link.send.bind(link);
      link.send = (lane, frame) => {
        if (isFaulty) {
          isFaulty = false;
          faults++;
          throw new RangeError("no such frame");
        }
        send(lane, frame);
      };
      return link;
    },
  };
  const other = await cluster.join({ name: "other" });
  const mesh = await cluster.join({ name: "mesh", transport });
  await allLinked([mesh, other]);
  const errors: unknown[] = [];
  mesh.on("error", (error) => errors.push(error));
  const down = mesh.once("link:down");
  isFaulty = true;
  mesh.say("anything");
  await down;
  expect(faults).toBe(1);
  expect(errors).toEqual([new RangeError("no such frame")]);
  await allLinked([mesh, other]);
  const heard = other.hearOnce("again");
  await mesh.say("again");
  expect((await heard).from.name).toBe("mesh");
  await until([mesh], "well", () => mesh.health.state === "ok");
});
