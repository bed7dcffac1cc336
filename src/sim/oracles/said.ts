/** What was said, in brief: two messages of the same name and bytes are one to an oracle. */

/** What reaches many is the same bytes: nobody changes them. */
const hashes = new WeakMap<Uint8Array, number>();

export function contentOf(name: string, value: Uint8Array): string {
  let hash = hashes.get(value);
  if (hash === undefined) {
    hash = 0x811c9dc5;
    for (const byte of value) hash = Math.imul(hash ^ byte, 0x01000193);
    hashes.set(value, hash);
  }
  return `${name}:${value.length}:${hash}`;
}
