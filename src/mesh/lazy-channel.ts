/**
 * Channels, as far as a page needs them before the first is used: what does the work (`channels.ts`) is loaded with
 * that one.
 */

import type { History } from "../core/channels/contract.ts";
import { HearsayError } from "../errors.ts";
import type { Channel, ChannelHandler, ChannelOptions, Published } from "./channel.ts";
import type { Channels } from "./channels.ts";
import type { HearOptions } from "./hearing.ts";
import type { Unlisten } from "./listeners.ts";
import type { MeshParts } from "./parts.ts";
import { type ReadOptions, read } from "./reading.ts";
import { encodeValue } from "./values.ts";

const HISTORY_MAX = 10_000;
const HISTORY_MS_MAX = 3_600_000;

function historyOf({ history, historyMs }: ChannelOptions): History | undefined {
  const count = history ?? (historyMs === undefined ? 0 : 1_000);
  const ms = historyMs ?? HISTORY_MS_MAX;
  if (!Number.isInteger(count) || count < 0 || count > HISTORY_MAX) {
    const message = `history is a whole number from 0 to ${HISTORY_MAX}`;
    throw new HearsayError("options:history", message);
  }
  if (!(ms >= 1 && ms <= HISTORY_MS_MAX)) {
    throw new HearsayError("options:historyMs", `historyMs is from 1 to ${HISTORY_MS_MAX}`);
  }
  return count === 0 ? undefined : { count, ms };
}

/** As the class that is loaded has it. @throws HearsayError `options:…` */
export function lazyChannel(
  name: string,
  options: ChannelOptions,
  parts: MeshParts,
): Channel<never> {
  const history = historyOf(options);
  let channels: Channels | undefined;
  const load = async (): Promise<Channels> => {
    channels ??= await parts.face("channel", async (mesh) => {
      const [{ Channels }, { makeChannels }] = await Promise.all([
        import("./channels.ts"),
        import("../core/channels/channels.ts"),
      ]);
      return new Channels(mesh, makeChannels);
    });
    return channels;
  };
  const listen = (handler: ChannelHandler, given: HearOptions = {}): Unlisten => {
    let ended = given.signal?.aborted ?? false;
    let end: Unlisten | undefined;
    if (ended) return () => {};
    load()
      .then((loaded) => {
        if (!ended) end = loaded.subscribe(name, handler, given, history);
      })
      .catch(parts.report);
    return () => {
      ended = true;
      end?.();
    };
  };
  const channel: Channel = {
    name,
    get subscribers() {
      return channels?.subscribers(name) ?? [];
    },
    async publish(data: unknown) {
      // As it is now.
      const value = encodeValue(data, parts.valueBytesMax);
      await (channels ?? (await load())).publish(name, value, history);
    },
    subscribe: ((handler?: ChannelHandler | (HearOptions & ReadOptions), given?: HearOptions) =>
      typeof handler === "function"
        ? listen(handler, given)
        : read<Published>(
            (push) => listen((_data, _from, info) => push(info), handler),
            handler,
          )) as Channel["subscribe"],
  };
  return channel as Channel<never>;
}
