/** Tiles by the worker of this page, one after the other. */

export type Render = (scene: number, tile: number) => Promise<Uint8Array>;

export function renderer(): Render {
  let worker: Worker | undefined;
  let last: Promise<unknown> = Promise.resolve();
  const render: Render = (scene, tile) =>
    new Promise((resolve, reject) => {
      // Made for the first tile: who renders nothing does not pay for it.
      worker ??= new Worker("tiling/tile-worker.js", { type: "module" });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = () => reject(new Error("the worker of this page does not run"));
      worker.postMessage([scene, tile]);
    });
  return (scene, tile) => {
    const rendered = last.catch(() => undefined).then(() => render(scene, tile));
    last = rendered;
    return rendered;
  };
}
