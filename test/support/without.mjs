// For `node --import`: a process in which an optional package is not installed, named behind "?".
import { register } from "node:module";

const missing = JSON.stringify(new URL(import.meta.url).search.slice(1));
const hooks = `export async function resolve(name, context, next) {
  if (name === ${missing}) throw new Error("Cannot find package " + name);
  return next(name, context);
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
