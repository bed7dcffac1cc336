/** The self-contained build: needs no `global`, `process` or `events` from whoever bundles it. */
declare module "simple-peer/simplepeer.min.js" {
  const SimplePeer: import("./webrtc-shapes.ts").SimplePeerConstructor;
  export default SimplePeer;
}
