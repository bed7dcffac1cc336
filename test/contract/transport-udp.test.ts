import { describe, test } from "vitest";
import { transportChecks } from "../../src/testing/transport-suite.ts";
import { udpTransport } from "../../src/transport/udp/udp.ts";

describe.each([
  ["IPv4", "127.0.0.1"],
  ["IPv6", "::1"],
  ["both families", undefined],
])("UDP transport, %s", (_, host) => {
  const make = () => udpTransport(host === undefined ? {} : { host });
  for (const check of transportChecks(() => ({ near: make(), far: make() }))) {
    test(check.name, check.run);
  }
});
