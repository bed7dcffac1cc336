// For `node --import`: a process in which the optional package wrtc is not installed.
import { register } from "node:module";

const hooks = `export async function resolve(name, context, next) {
  if (name === "wrtc") throw new Error("Cannot find package 'wrtc'");
  return next(name, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
