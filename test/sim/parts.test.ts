// A part of the core that is none of hearsay's own: it announces, sends, stores and waits, as all of them may.
import { describe, expect, test } from "vitest";
import type { MakePart, PartHost, StoreProblem } from "../../src/core/part.ts";
import { type SimMember, World } from "../../src/sim/index.ts";
import { grown, linkedWith, within } from "./graph.ts";

/** Notes all that it is told. */
class Notes {
  readonly messages: string[] = [];
  readonly announced = new Map<string, string | undefined>();
  readonly deadlines: string[] = [];
  readonly stored: (readonly [number, StoreProblem | undefined])[] = [];
  readonly commands: unknown[] = [];
  readonly seen = new Map<string, boolean>();
  host!: PartHost;

  readonly make: MakePart = (host) => {
    this.host = host;
    return {
      onMessage: (from, bytes) => void this.messages.push(`${from} ${bytes.join()}`),
      onAnnounced: (by, key, value) => void this.announced.set(`${by} ${key}`, value?.join()),
      onMember: (id, _, isLive) => void this.seen.set(id, isLive),
      onDeadline: (subject) => void this.deadlines.push(subject),
      onCommand: (command) => {
        this.commands.push(command);
        if (typeof command === "function") command(host);
      },
      onStored: (ticket, problem) => void this.stored.push([ticket, problem]),
      onResumed: () => {},
      onLeave: () => {},
    };
  };

  constructor(world: World, member: SimMember) {
    world.input(member, { type: "attach", part: "queue", make: this.make });
  }
}

/** Has the part do something, in a step of its own. */
function act(world: World, member: SimMember, what: (host: PartHost) => void): void {
  world.command(member, { type: "part", part: "queue", command: what });
}

const idOf = (member: SimMember): string => member.config.id;

describe("a part", () => {
  test("hears what others announce, also what they did before it was there, and when they end", () => {
    const world = grown(1, 20, { loss: 0.2 });
    const [one, other] = world.members as [SimMember, SimMember];
    const first = new Notes(world, one);
    act(world, one, (host) => host.announce("jobs", Uint8Array.of(1, 2)));
    expect(first.announced.get(`${idOf(one)} jobs`)).toBe("1,2");
    world.run(5_000);
    const second = new Notes(world, other);
    expect(second.announced.get(`${idOf(one)} jobs`)).toBe("1,2");
    expect(second.seen.get(idOf(one))).toBe(true);
    act(world, one, (host) => host.announce("jobs", Uint8Array.of(3)));
    act(world, one, (host) => host.announce("more", Uint8Array.of(4)));
    const heard = (key: string, value: string | undefined): boolean =>
      second.announced.get(`${idOf(one)} ${key}`) === value;
    within(world, 10_000, "it hears the change", () => heard("jobs", "3") && heard("more", "4"));
    act(world, one, (host) => host.announce("more", undefined));
    within(world, 10_000, "it hears the end", () => heard("more", undefined));
    world.command(one, { type: "leave" });
    within(world, 10_000, "it hears that all is over", () => heard("jobs", undefined));
    expect(second.seen.get(idOf(one))).toBe(false);
    // The application has heard nothing of it.
    for (const { events } of world.members) {
      expect(events.filter(({ type }) => type === "state")).toEqual([]);
    }
  });

  test("sends to members without a link, and what has not the part takes no notice", () => {
    const world = grown(2, 40);
    const [one] = world.members as [SimMember];
    const notes = world.members.slice(0, 39).map((member) => new Notes(world, member));
    const others = world.members.slice(1, 39).map((member, i) => ({
      member,
      heard: (notes[i + 1] as Notes).messages,
    }));
    const last = world.members[39] as SimMember;
    within(
      world,
      20_000,
      "all have it",
      () => {
        const missing = others.filter(({ heard }) => heard.length === 0);
        for (const { member } of [...missing, { member: last }]) {
          act(world, one, (host) => void host.send(idOf(member), Uint8Array.of(7)));
        }
        return missing.length === 0;
      },
      1_000,
    );
    expect(others.some(({ member }) => !linkedWith(one).includes(member))).toBe(true);
    for (const { heard } of others) expect(new Set(heard)).toEqual(new Set([`${idOf(one)} 7`]));
    expect(last.alive && last.core.isLive(idOf(one))).toBe(true);
  });

  test("has deadlines of its own", () => {
    const world = grown(3, 2);
    const [one] = world.members as [SimMember];
    const notes = new Notes(world, one);
    act(world, one, (host) => {
      host.setDeadline("a/b:c", host.now() + 500);
      host.setDeadline("never", host.now() + 400);
      host.clearDeadline("never");
    });
    world.run(450);
    expect(notes.deadlines).toEqual([]);
    world.run(100);
    expect(notes.deadlines).toEqual(["a/b:c"]);
  });

  test("takes who sleeps for gone until it wakes, whether it was there before or not", () => {
    const world = grown(6, 12);
    const [one, other, sleeper] = world.members as [SimMember, SimMember, SimMember];
    const sees = ({ seen }: Notes): boolean | undefined => seen.get(idOf(sleeper));
    const notes = new Notes(world, one);
    expect(sees(notes)).toBe(true);
    world.sleep(sleeper, undefined, true);
    within(world, 10_000, "it is gone", () => sees(notes) === false);
    const later = new Notes(world, other);
    expect(sees(later)).toBe(false);
    world.wake(sleeper);
    within(world, 10_000, "it is back", () => sees(notes) === true && sees(later) === true);
  });

  test("finds what was durable after a crash, and nothing that was not, batch by batch", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const world = grown(seed, 2);
      const [one] = world.members as [SimMember];
      const notes = new Notes(world, one);
      act(world, one, (host) => {
        for (let i = 0; i < 10; i++) {
          host.store([
            { key: `a${i}`, value: Uint8Array.of(i) },
            { key: `b${i}`, value: Uint8Array.of(i) },
          ]);
        }
      });
      world.run(seed);
      const durable = notes.stored.length;
      expect(notes.stored.map(([ticket]) => ticket)).toEqual(
        Array.from({ length: durable }, (_, i) => i + 1),
      );
      world.crash(one);
      const again = world.restart(one);
      const keys = [...again.disk.of("queue").keys()];
      expect(keys.length / 2).toBeGreaterThanOrEqual(durable);
      expect(keys.length / 2).toBeLessThanOrEqual(durable + 1);
      expect(keys).toEqual(
        Array.from({ length: keys.length / 2 }, (_, i) => [`a${i}`, `b${i}`]).flat(),
      );
    }
  });

  test("proves what it makes, and knows what others have made from what they have not", () => {
    const world = new World(5);
    const [one, other] = [world.add({ proofs: "all" }), world.add({ proofs: "all" })];
    world.run(5_000);
    for (const member of [one, other]) new Notes(world, member);
    const content = Uint8Array.of(1, 2, 3);
    const proofs: Uint8Array[] = [];
    act(world, one, (host) => host.prove(content, (proof) => void proofs.push(proof)));
    world.run(100);
    const good: boolean[] = [];
    act(world, other, (host) => {
      const [proof = content] = proofs;
      const then = (isGood: boolean): void => void good.push(isGood);
      host.check(idOf(one), content, proof, then);
      host.check(idOf(one), Uint8Array.of(1, 2), proof, then);
      host.check(idOf(other), content, proof, then);
      host.check(idOf(one), content, content, then);
    });
    world.run(100);
    expect(good).toEqual([true, false, false, false]);
  });

  test("learns that there is no room, in the order in which it asked, and that there is room again", () => {
    const world = grown(4, 2);
    const [one] = world.members as [SimMember];
    const notes = new Notes(world, one);
    const durable: string[] = [];
    world.observe({
      onDurable: (_, { changes }) => void durable.push(...changes.map(({ key }) => key)),
    });
    const store = (key: string): void =>
      act(world, one, (host) => void host.store([{ key, value: Uint8Array.of(1) }]));
    for (const key of ["a", "b", "c"]) store(key);
    world.spoilDisk(one, "full");
    for (const key of ["d", "e"]) store(key);
    world.spoilDisk(one, undefined);
    store("f");
    world.run(100);
    const answers = [undefined, undefined, undefined, "full", "full", undefined];
    expect(notes.stored).toEqual(answers.map((problem, i) => [i + 1, problem]));
    expect(durable).toEqual(["a", "b", "c", "f"]);
    expect([...one.disk.of("queue").keys()]).toEqual(durable);
  });
});
