/**
 * One codec for all members of a world. A frame that goes to many is decoded once, and a record that many hold is
 * one object: messages are never changed once they are made, so nobody can tell, and thousands fit into memory.
 */

import type { MemberId } from "../core/machine.ts";
import { type Decoded, type FrameCodec, frameCodec } from "../core/wire/codec.ts";
import type { MemberRecord, Message, Update } from "../core/wire/messages.ts";

export function sharedCodec(clusterHash: number): FrameCodec {
  const codec = frameCodec(clusterHash);
  const decoded = new WeakMap<Uint8Array, Decoded<Message>>();
  const records = new Map<MemberId, MemberRecord>();
  const one = (record: MemberRecord): MemberRecord => {
    const known = records.get(record.id);
    const isSame = known?.generation === record.generation && known.version === record.version;
    // Of the same version two can differ where one is forged.
    if (isSame && isEqual(known.proof, record.proof)) return known;
    const isNewer = (a: MemberRecord, b: MemberRecord): boolean =>
      a.generation === b.generation ? a.version > b.version : a.generation > b.generation;
    if (known === undefined || isNewer(record, known)) records.set(record.id, record);
    return record;
  };
  const share = (update: Update): Update => {
    if (update.type !== "record") return update;
    const record = one(update.record);
    return record === update.record ? update : { ...update, record };
  };
  return {
    ...codec,
    decode(frame) {
      // Probes and their answers go to one.
      if (frame.length < WORTH_KEEPING_BYTES) return codec.decode(frame);
      const known = decoded.get(frame);
      if (known !== undefined) return known;
      let result = codec.decode(frame);
      if (result.ok && "updates" in result.message) {
        const { message } = result;
        result = { ok: true, message: { ...message, updates: message.updates.map(share) } };
      }
      decoded.set(frame, result);
      return result;
    },
  };
}

const WORTH_KEEPING_BYTES = 64;

function isEqual(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a === b || (a?.length === b?.length && a?.every((byte, i) => byte === b?.[i]) === true);
}
