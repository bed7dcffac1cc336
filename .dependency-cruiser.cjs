// The layers of docs in one picture, held by a machine: arrows point inward, the core imports nothing but itself.
//   web-demo, examples → public entry → mesh → runtime → core, and the contracts of transport, store, signaling

const contracts = "^src/(transport/transport|store/store)[.]ts$";

/** The error class is everybody's but the core's, which never throws at a user. */
const errors = "^src/errors[.]ts$";

/** Where the built-in modules of Node may be used. */
const nodeOnly = [
  "^src/bin/",
  "^src/transport/udp",
  "^src/store/disk",
  "[.]node[.]ts$",
  "^(signaling-server|scripts|test|bench|examples)/",
];

/** A rule of the form: these files import only these, of all the files of the project. */
const onlyProject = (name, comment, from, allowed) => ({
  name,
  comment,
  severity: "error",
  from: { path: from },
  to: { path: "^(src|signaling-server|web-demo|test|bench|examples|scripts)/", pathNot: allowed },
});

module.exports = {
  forbidden: [
    {
      name: "core-stands-alone",
      comment: "The core is pure: no other folder, no npm package, no built-in module of Node.",
      severity: "error",
      from: { path: "^src/core/" },
      to: { pathNot: "^src/core/" },
    },
    {
      name: "sim-knows-the-core-only",
      comment: "Virtual time is exact only while nothing real is in it.",
      severity: "error",
      from: { path: "^src/sim/" },
      to: { pathNot: "^src/(core|sim)/" },
    },
    onlyProject(
      "session-knows-core-and-contracts",
      "Keys and handshakes work over any transport.",
      "^src/session/",
      ["^src/(session|core)/", "^src/transport/traffic[.]ts$", contracts, errors],
    ),
    onlyProject(
      "adapters-know-no-runtime",
      "Transports, stores and signaling are plugged in; they know contracts, not who uses them.",
      "^src/(transport|store|signaling)/",
      ["^src/(transport|store|signaling|session|core)/", errors],
    ),
    onlyProject(
      "runtime-knows-contracts",
      "The driver performs effects through contracts; which transport or store is behind them it is told.",
      "^src/runtime/",
      ["^src/(runtime|session|signaling|core)/", contracts, errors],
    ),
    onlyProject(
      "mesh-stands-on-the-runtime",
      "The public face gets its transports and stores from the entry of its platform.",
      "^src/mesh/",
      ["^src/(mesh|runtime|session|signaling|core)/", contracts, errors],
    ),
    onlyProject(
      "acceptance-suites-know-contracts",
      "A third party runs them against an implementation of its own.",
      "^src/testing/",
      ["^src/(testing|core)/", contracts],
    ),
    onlyProject(
      "server-shares-the-protocol-only",
      "The signaling server shares messages with its clients and nothing of the mesh.",
      "^signaling-server/",
      ["^signaling-server/", "^src/signaling/protocol[.]ts$", "^src/core/lib/", errors],
    ),
    onlyProject(
      "public-entry-only",
      "The demo and the examples use what users can use.",
      "^(web-demo|examples)/",
      ["^(web-demo|examples)/", "^src/index[.]"],
    ),
    {
      name: "entries-are-outermost",
      comment: "An entry composes the library; nothing inside depends on it.",
      severity: "error",
      from: { path: "^(src|signaling-server)/", pathNot: "^src/(index[.]|bin/)" },
      to: { path: "^src/(index[.]|bin/)" },
    },
    {
      name: "no-server-in-the-library",
      comment: "Only the command line starts a server.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/bin/" },
      to: { path: "^signaling-server/" },
    },
    {
      name: "node-only-where-named-so",
      comment: "Built-in modules of Node stand where a browser never comes.",
      severity: "error",
      from: { path: ".", pathNot: nodeOnly },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "browser-entry-is-for-browsers",
      comment: "No path leads from the browser entry to a file made for Node.",
      severity: "error",
      from: { path: "^src/index[.]browser[.]ts$" },
      to: { path: nodeOnly, reachable: true },
    },
    {
      name: "no-tools-at-run-time",
      comment: "What is only a devDependency is not there for users.",
      severity: "error",
      from: { path: "^(src|signaling-server)/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"],
        dependencyTypesNot: ["type-only"],
        // `wrtc` is optional; it is imported by name and only if it is there.
        pathNot: "node_modules/@types/",
      },
    },
    {
      name: "no-tests-in-the-library",
      comment: "What is shipped stands without what checks it.",
      severity: "error",
      from: { path: "^(src|signaling-server|web-demo|examples)/" },
      to: { path: "^(test|bench|scripts)/" },
    },
    {
      name: "no-cycles",
      comment: "A cycle is one module in several files.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-orphans",
      comment: "A file that nothing uses and that uses nothing is forgotten.",
      severity: "error",
      from: { orphan: true, path: "^(src|signaling-server|web-demo)/", pathNot: "[.]d[.]ts$" },
      to: {},
    },
    {
      name: "resolvable",
      comment:
        "An import that is not found is not checked either. (`hearsay` itself is there once built.)",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: "^hearsay(/|$)" },
    },
  ],
  options: {
    // TypeScript 7 has no compiler API; with the default parser no file would be read, without a word.
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules|^dist/" },
    moduleSystems: ["es6", "cjs"],
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
