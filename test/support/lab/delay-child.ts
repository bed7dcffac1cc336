/**
 * Runs in the namespace of a router: whatever is routed to its interface comes back out of it after a while. `tc netem`
 * is not in every kernel. Packets stay in order.
 *
 * Its arguments are the name of the interface, and the time in ms.
 */

import { spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import process from "node:process";

const [name, delayMs] = process.argv.slice(2);
const HERE = "127.0.0.1";

const socket = createSocket("udp4").bind(0, HERE);
await once(socket, "listening");
socket.on("message", (packet, { port }) => {
  setTimeout(() => socket.send(packet, port, HERE), Number(delayMs));
});

// Node cannot open such an interface. Who can is told its packets, and ends when we do: then its input ends.
const tun = `TUN,tun-name=${name},tun-type=tun,iff-no-pi,iff-up`;
const peer = `UDP4:${HERE}:${socket.address().port},bind=${HERE}`;
const socat = process.env["SOCAT_PATH"] ?? "socat";
const script = `${socat} -d -d -b 65536 ${tun} ${peer} & cat; kill $!`;
const child = spawn("sh", ["-c", script], { stdio: ["pipe", "inherit", "pipe"] });
let printed = "";
child.stderr.setEncoding("utf8").on("data", (text) => {
  printed += text;
  if (/starting data transfer/.test(text)) process.send?.("ready");
});
process.on("disconnect", () => process.exit());
child.on("exit", () => {
  process.stderr.write(printed);
  process.exit(1);
});
