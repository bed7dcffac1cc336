/**
 * What is written to a stream is read at its other end in order and once; nothing comes after its end; both ends close
 * once, and "done" says that all was read; where one has closed, the other does within a bound. What was not read yet
 * stays within the window.
 */

import type { Input, MemberId, MeshEvent } from "../../core/machine.ts";
import type { SimMember } from "../member.ts";
import type { World } from "../world.ts";
import type { MakeOracle, Oracle, Report } from "./oracle.ts";
import type { Weather } from "./weather.ts";

/** Who hears nothing of the other end for `streamSilenceMs` has closed, and it looks in steps of 8 s. ms. */
const HALF_OPEN_MS = 45_000;

type Told = Extract<MeshEvent, { type: "stream" }>;
type Ordered = Extract<Input, { type: "command" }>["command"];

interface End {
  readonly member: SimMember;
  readonly id: number;
  readonly name: string;
  readonly to: MemberId;
  other: End | undefined;
  /** Written here and not read there yet. */
  readonly written: Uint8Array[];
  finished: boolean;
  /** The application has heard the end of the other's bytes. */
  heardEnd: boolean;
  closedAt: number | undefined;
  unreadBytes: number;
}

export const streams: MakeOracle = (world, report, weather) => new Streams(world, report, weather);

class Streams implements Oracle {
  readonly name = "streams";
  readonly #world: World;
  readonly #report: Report;
  readonly #weather: Weather;
  readonly #ends = new Map<string, End>();

  constructor(world: World, report: Report, weather: Weather) {
    this.#world = world;
    this.#report = report;
    this.#weather = weather;
  }

  onInput(member: SimMember, input: Input): void {
    if (input.type === "command") this.#onCommand(member, input.command);
  }

  onEvent(member: SimMember, event: MeshEvent): void {
    if (event.type !== "stream") return;
    if (event.what === "offered") return this.#onOffered(member, event);
    const end = this.#ends.get(keyOf(member, event.id));
    if (end === undefined) return;
    if (end.closedAt !== undefined) return this.#report(member, `${end.name}: told after its end`);
    if (event.what === "data") this.#onData(end, event.bytes);
    if (event.what === "ended") this.#onEnded(end);
    if (event.what === "closed") this.#onClosed(end, event.outcome);
  }

  check(): void {
    const { now } = this.#world;
    for (const [key, end] of this.#ends) {
      const { member, other, closedAt } = end;
      if (!member.alive || (closedAt !== undefined && isOver(other))) {
        this.#ends.delete(key);
      } else if (closedAt === undefined && isOver(other)) {
        const since = Math.max(
          other?.closedAt ?? other?.member.goneAt ?? now,
          this.#weather.calmSince(member),
        );
        if (now - since <= HALF_OPEN_MS) continue;
        this.#ends.delete(key);
        this.#report(member, `${end.name}: is open here, and has been over there for long`);
      }
    }
  }

  #onCommand(member: SimMember, command: Ordered): void {
    if (command.type === "streamOpen") {
      this.#add(member, command.id, command.name, command.to);
      return;
    }
    if (!("id" in command)) return;
    const end = this.#ends.get(keyOf(member, command.id));
    if (end === undefined || end.closedAt !== undefined) return;
    if (command.type === "streamWrite") end.written.push(command.bytes);
    if (command.type === "streamEnd") end.finished = true;
    if (command.type === "streamRead") end.unreadBytes -= command.count;
    if (command.type === "streamAbort") end.closedAt = this.#world.now;
  }

  #add(member: SimMember, id: number, name: string, to: MemberId): End {
    const end: End = {
      member,
      id,
      name,
      to,
      other: undefined,
      written: [],
      finished: false,
      heardEnd: false,
      closedAt: undefined,
      unreadBytes: 0,
    };
    this.#ends.set(keyOf(member, id), end);
    return end;
  }

  #onOffered(member: SimMember, { id, from, name }: Extract<Told, { what: "offered" }>): void {
    const opener = [...this.#ends.values()].findLast(
      (end) => end.name === name && end.to === member.config.id && end.member.config.id === from,
    );
    if (opener === undefined) return;
    // To its next life it may be offered again.
    if (opener.other?.member === member) {
      return this.#report(member, `${name}: was offered twice`);
    }
    opener.other = this.#add(member, id, name, from);
    opener.other.other = opener;
  }

  #onData(end: End, bytes: Uint8Array): void {
    end.unreadBytes += bytes.length;
    if (end.unreadBytes > end.member.config.streamWindowBytesMax) {
      this.#report(end.member, `${end.name}: holds ${end.unreadBytes} bytes for its reader`);
    }
    if (end.heardEnd) this.#report(end.member, `${end.name}: bytes after the end`);
    const written = end.other?.written ?? [];
    for (let at = 0; at < bytes.length; ) {
      const next = written[0];
      const length = Math.min(next?.length ?? 0, bytes.length - at);
      const part = bytes.subarray(at, at + length);
      if (next === undefined || part.some((byte, i) => byte !== next[i])) {
        return this.#report(end.member, `${end.name}: bytes that were not written there`);
      }
      if (length === next.length) written.shift();
      else written[0] = next.subarray(length);
      at += length;
    }
  }

  #onEnded(end: End): void {
    end.heardEnd = true;
    if (end.other?.finished === true && end.other.written.length === 0) return;
    this.#report(end.member, `${end.name}: ends before what was written`);
  }

  #onClosed(end: End, outcome: string): void {
    end.closedAt = this.#world.now;
    if (outcome !== "done") return;
    const isWhole = end.heardEnd && end.finished && end.written.length === 0;
    if (!isWhole) this.#report(end.member, `${end.name}: done, and not all was read`);
  }
}

/** It is over at an end that once was; where nobody was offered it, nothing is said. */
function isOver(end: End | undefined): boolean {
  return end !== undefined && (end.closedAt !== undefined || !end.member.alive);
}

function keyOf(member: SimMember, id: number): string {
  return `${member.index} ${id}`;
}
