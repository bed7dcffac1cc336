import type { WebRtcImplementation } from "./webrtc-shapes.ts";

/** WebRTC for Node, or why there is none. */
export type LoadedWrtc =
  | { readonly wrtc: WebRtcImplementation; readonly reason?: undefined }
  | { readonly wrtc?: undefined; readonly reason: string };

/**
 * Loads the optional package `wrtc`. Its native binding crashes in worker threads: main thread only.
 */
export async function loadWrtc(): Promise<LoadedWrtc> {
  try {
    const module: { default: WebRtcImplementation } = await import("wrtc");
    return { wrtc: module.default };
  } catch (error) {
    return {
      reason: `the optional package wrtc cannot be loaded (npm install wrtc@npm:@roamhq/wrtc@^0.10.0): ${error}`,
    };
  }
}
