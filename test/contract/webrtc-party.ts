import { patterned, samePattern } from "../../src/testing/expectations.ts";
import { LinkEnd } from "../../src/testing/link-end.ts";
import type { Lane, Transport } from "../../src/transport/transport.ts";

/** A frame of this size is the last thing that a tab sends when it goes away. */
export const LAST_WORDS_BYTES = 700;

/** What may be asked of one end of a link, be it here or in a tab: arguments and results are plain. */
export interface Party {
  begin(initiator: boolean): Promise<void>;
  signal(payload: string): Promise<void>;
  opened(): Promise<void>;
  /** Sends `count` frames with at most `windowBytes` not drained. Ends when all are. */
  sendBulk(count: number, frameBytes: number, windowBytes: number): Promise<void>;
  /** Ends when `count` unchanged frames have come since `begin`. */
  receiveBulk(count: number, frameBytes: number): Promise<void>;
  /** Sends a frame, a datagram again and again, until `stop`. */
  send(lane: Lane, size: number): Promise<void>;
  received(lane: Lane, size: number): Promise<void>;
  stop(): Promise<void>;
  /** Ends with the reason's code. */
  closed(): Promise<string>;
  close(): Promise<void>;
  /** The most bytes a channel held, and the largest message it was given. */
  peaks(): Promise<{ bufferedBytes: number; messageBytes: number }>;
}

interface ChannelClass {
  readonly prototype: {
    send(data: Uint8Array<ArrayBuffer>): void;
    readonly bufferedAmount: number;
  };
}

/** @param emit carries signals to the other party, which may be elsewhere */
export function party(
  transport: Transport,
  channelClass: ChannelClass,
  emit: (payload: string) => void,
): Party {
  const peaks = watchSends(channelClass);
  let end: LinkEnd;
  let received = 0;
  let again: ReturnType<typeof setInterval> | undefined;
  return {
    async begin(initiator) {
      end = new LinkEnd(transport, { initiator });
      end.onSignal = (payload) => emit(String.fromCharCode(...payload));
    },
    async signal(payload) {
      end.signal(Uint8Array.from(payload, (char) => char.charCodeAt(0)));
    },
    opened: () => end.opened(),
    async sendBulk(count, frameBytes, windowBytes) {
      let sent = 0;
      const fill = () => {
        const waiting = () => sent * frameBytes - end.drainedBytes;
        while (sent < count && waiting() + frameBytes <= windowBytes) {
          end.send("reliable", patterned(frameBytes, sent++));
        }
      };
      end.onDrain = fill;
      fill();
      await end.until("all drained", () => end.drainedBytes === count * frameBytes);
    },
    async receiveBulk(count, frameBytes) {
      const early = end.frames.splice(0);
      end.onFrame = ({ bytes }) => samePattern(bytes, frameBytes, received++);
      early.forEach(end.onFrame);
      await end.until("all frames", () => received === count);
      end.onFrame = undefined;
    },
    async send(lane, size) {
      const say = () => end.send(lane, patterned(size, size));
      say();
      if (lane === "datagram") again = setInterval(say, 50);
    },
    async received(lane, size) {
      const found = () =>
        end.frames.find((it) => it.lane === lane && it.bytes.length === size)?.bytes;
      await end.until(`a ${lane} frame of ${size} bytes`, () => found() !== undefined);
      samePattern(found() as Uint8Array, size, size);
    },
    async stop() {
      clearInterval(again);
    },
    async closed() {
      return (await end.closed()).code;
    },
    async close() {
      end.close();
    },
    async peaks() {
      return peaks;
    },
  };
}

function watchSends({ prototype }: ChannelClass): { bufferedBytes: number; messageBytes: number } {
  const peaks = { bufferedBytes: 0, messageBytes: 0 };
  const send = prototype.send;
  prototype.send = function (data) {
    send.call(this, data);
    peaks.bufferedBytes = Math.max(peaks.bufferedBytes, this.bufferedAmount);
    peaks.messageBytes = Math.max(peaks.messageBytes, data.length);
  };
  return peaks;
}
