/**
 * A short code by which two people see that they look at the same text. It tells texts apart and secures nothing:
 * that is done by the key inside of the invitation.
 */

/** No letters and digits that are mistaken for each other. */
const LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
const LENGTH = 5;

/** FNV-1a, 32 bits. */
export function codeOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  }
  let code = "";
  for (let i = 0; i < LENGTH; i++) code += LETTERS[(hash >>> (27 - i * 5)) & 31];
  return code;
}
