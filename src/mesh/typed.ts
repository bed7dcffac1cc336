/** Names and what they carry, where the application says so: `join<{ state: …; events: … }>(…)`. */

/** What the names of one kind carry. */
export type Values = Record<string, unknown>;

/** What an application says about its mesh; what it leaves out may be anything. */
export interface MeshTypes {
  /** What each key of a member's own state holds. */
  readonly state?: object;
  /** What each name that is said, sent and heard carries. */
  readonly events?: object;
  /** What each key of the shared configuration holds. */
  readonly config?: object;
  /** What is published in each channel. */
  readonly channels?: object;
}

export type StateOf<T extends MeshTypes> = T extends { state: infer V extends object }
  ? { [K in keyof V]: V[K] }
  : Values;

export type EventsOf<T extends MeshTypes> = T extends { events: infer V extends object }
  ? { [K in keyof V]: V[K] }
  : Values;

export type ConfigOf<T extends MeshTypes> = T extends { config: infer V extends object }
  ? { [K in keyof V]: V[K] }
  : Values;

export type ChannelsOf<T extends MeshTypes> = T extends { channels: infer V extends object }
  ? { [K in keyof V]: V[K] }
  : Values;

/** A name of these; any where nothing is said about them. */
export type NameOf<V> = keyof V & string;

/** What may be listened to beside the names themselves: patterns; anything where nothing is said. */
export type PatternOf<V> = string extends keyof V ? string : `${string}*${string}`;

/** What follows a name when it is said: its data, which may be left out where it may be undefined, and options. */
export type DataOf<V, N extends keyof V, O> = undefined extends V[N]
  ? [data?: V[N], options?: O]
  : [data: V[N], options?: O];
