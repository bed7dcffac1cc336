/** A text as a QR picture. */

import qrcode from "qrcode-generator";
import { element } from "../dom.ts";

/** Scanners ask for four modules of white around. */
const MARGIN = 4;
const PIXELS = 8;

/** Undefined when the text is longer than such a picture can hold. */
export function qrPicture(text: string, label: string): HTMLCanvasElement | undefined {
  const code = qrcode(0, "L");
  try {
    code.addData(text, "Byte");
    code.make();
  } catch {
    return undefined;
  }
  const modules = code.getModuleCount();
  const canvas = element("canvas", { attributes: { role: "img", "aria-label": label } });
  const side = (modules + 2 * MARGIN) * PIXELS;
  canvas.width = side;
  canvas.height = side;
  const context = canvas.getContext("2d");
  if (context === null) return undefined;
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.fillStyle = "#000";
  for (let row = 0; row < modules; row++) {
    for (let column = 0; column < modules; column++) {
      if (!code.isDark(row, column)) continue;
      context.fillRect((column + MARGIN) * PIXELS, (row + MARGIN) * PIXELS, PIXELS, PIXELS);
    }
  }
  return canvas;
}
