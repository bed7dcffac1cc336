/**
 * Payloads that a stranger might send as signalling: noise, and real ones with something changed.
 * The same for the same seed.
 */
export function hostileSignals(real: readonly Uint8Array[], count: number, seed = 1): Uint8Array[] {
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 8) % n;
  };
  const noise = (length: number) => Uint8Array.from({ length }, () => below(256));
  const text = (value: string) => new TextEncoder().encode(value);
  const sample = () => real[below(real.length)] ?? new Uint8Array();

  const change: (() => Uint8Array)[] = [
    () => noise(below(300)),
    () => new Uint8Array(70_000).fill(below(256)),
    () => text('{"type":"offer","sdp":"v=0\\r\\n"}'),
    () => sample().slice(0, below(sample().length + 1)),
    () => text(lines(sample()).reverse().join("\n")),
    () => text(lines(sample()).concat(lines(sample())).join("\n")),
    () =>
      text(
        lines(sample())
          .flatMap((line) => Array(1 + below(40)).fill(line))
          .join("\n"),
      ),
    () => text(swapWord(lines(sample()), below)),
    () => {
      const bytes = sample().slice();
      for (let i = below(4); i >= 0; i--) bytes[below(bytes.length)] = below(256);
      return bytes;
    },
    () => {
      const bytes = sample().slice();
      const at = below(bytes.length);
      // A changed digit or letter keeps the shape: these get furthest.
      bytes[at] = "0123456789abcdefAZ+/.: \n".charCodeAt(below(24));
      return bytes;
    },
  ];
  return Array.from({ length: count }, () => (change[below(change.length)] as () => Uint8Array)());
}

function lines(payload: Uint8Array): string[] {
  return new TextDecoder().decode(payload).split("\n");
}

const ODD_WORDS = [
  "",
  "-1",
  "0",
  "65536",
  "4294967296",
  "9".repeat(400),
  "::1",
  "a.local",
  "é",
  "\0",
];

function swapWord(all: string[], below: (n: number) => number): string {
  const at = below(all.length);
  const words = (all[at] ?? "").split(" ");
  words[below(words.length)] = ODD_WORDS[below(ODD_WORDS.length)] as string;
  return all.with(at, words.join(" ")).join("\n");
}
