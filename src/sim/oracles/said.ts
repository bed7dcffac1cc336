/** What was said, in brief: two messages of the same name and bytes are one to an oracle. */

export function contentOf(name: string, value: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of value) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${name}:${value.length}:${hash}`;
}
