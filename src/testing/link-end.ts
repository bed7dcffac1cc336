import type {
  CloseReason,
  ConnectOptions,
  Lane,
  Link,
  LinkHandlers,
  Transport,
} from "../transport/transport.ts";

/** How long a check waits for anything, in ms. Far above what it takes: only a fault reaches it. */
const PATIENCE_MS = 20_000;

export interface Frame {
  readonly lane: Lane;
  readonly bytes: Uint8Array;
}

/** One end of a link that writes down what happens to it, and on which one can wait. */
export class LinkEnd {
  readonly link: Link;
  readonly frames: Frame[] = [];
  readonly signals: Uint8Array[] = [];
  readonly closes: CloseReason[] = [];
  openCount = 0;
  drainedBytes = 0;
  /** What was not in the contract's order: a frame before `open`, anything after `close`. */
  readonly misdeeds: string[] = [];
  /** Called with every frame in place of keeping it. */
  onFrame: ((frame: Frame) => void) | undefined;
  onDrain: ((bytes: number) => void) | undefined;
  onSignal: ((payload: Uint8Array) => void) | undefined;
  readonly #watchers = new Set<() => void>();
  #inCall = false;

  constructor(transport: Transport, options: ConnectOptions) {
    this.link = this.#call(() => transport.connect(options, this.#handlers()));
  }

  signal(payload: Uint8Array): void {
    this.#call(() => this.link.signal(payload));
  }

  send(lane: Lane, frame: Uint8Array): void {
    this.#call(() => this.link.send(lane, frame));
  }

  close(): void {
    this.#call(() => this.link.close());
  }

  /** Waits until `holds` does; looks after each event of this end. */
  until(what: string, holds: () => boolean, patienceMs: number = PATIENCE_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (!holds()) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(`not within ${patienceMs} ms: ${what}; ${this.#story()}`));
      }, patienceMs);
      this.#watchers.add(look);
      look();
    });
  }

  opened(): Promise<void> {
    return this.until("open", () => this.openCount > 0);
  }

  async closed(): Promise<CloseReason> {
    await this.until("close", () => this.closes.length > 0);
    return this.closes[0] as CloseReason;
  }

  #handlers(): LinkHandlers {
    const noted = <A extends unknown[]>(name: string, act: (...args: A) => void) => {
      return (...args: A) => {
        if (this.#inCall) this.misdeeds.push(`${name} was called from inside a call`);
        if (this.closes.length > 0) this.misdeeds.push(`${name} was called after close`);
        act(...args);
        for (const look of this.#watchers) look();
      };
    };
    return {
      signal: noted("signal", (payload) => {
        this.signals.push(payload);
        this.onSignal?.(payload);
      }),
      open: noted("open", () => {
        this.openCount++;
      }),
      frame: noted("frame", (lane, bytes) => {
        if (this.openCount === 0) this.misdeeds.push("frame was called before open");
        if (this.onFrame) this.onFrame({ lane, bytes });
        else this.frames.push({ lane, bytes });
      }),
      drain: noted("drain", (bytes) => {
        this.drainedBytes += bytes;
        this.onDrain?.(bytes);
      }),
      close: noted("close", (reason) => {
        this.closes.push(reason);
      }),
    };
  }

  #call<T>(act: () => T): T {
    this.#inCall = true;
    try {
      return act();
    } finally {
      this.#inCall = false;
    }
  }

  #story(): string {
    const { sentFrames, receivedFrames, bufferedBytes } = this.link.stats();
    const close = this.closes[0] ? `closed: ${this.closes[0].code} ${this.closes[0].message}` : "";
    return `state ${this.link.state}, opened ${this.openCount}×, sent ${sentFrames} and received ${receivedFrames} frames, ${bufferedBytes} bytes buffered ${close}`;
  }
}
