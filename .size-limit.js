// What a user's bundle pays for `import { join } from "hearsay"`. simple-peer is counted apart
// (an application may bring its own WebRTC), and what loads on first use is not in it.
// The aims are 40 kB and 75 kB. The core is more than half of the first, a library's MessagePack a ninth.

/** Leaves `import()` alone, so that only what is loaded at once is counted. */
const leaveDynamicImports = {
  name: "leave-dynamic-imports",
  setup(build) {
    build.onResolve({ filter: /./ }, ({ kind }) =>
      kind === "dynamic-import" ? { external: true } : undefined,
    );
  },
};

const bundle = (config, plugins) => ({
  ...config,
  format: "esm",
  platform: "browser",
  conditions: ["browser", "import"],
  plugins: [...(config.plugins ?? []), ...plugins],
});

const common = {
  path: "dist/src/index.browser.js",
  import: "{ join }",
  ignore: ["simple-peer"],
  gzip: true,
};

export default [
  {
    ...common,
    name: "join",
    limit: "81 kB",
    modifyEsbuildConfig: (config) => bundle(config, [leaveDynamicImports]),
  },
  {
    ...common,
    name: "join and all that loads on first use",
    limit: "156 kB",
    modifyEsbuildConfig: (config) => bundle(config, []),
  },
];
