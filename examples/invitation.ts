// Two peers that meet without any server, by two texts that people carry: npx tsx examples/invitation.ts
import { join } from "hearsay";

const host = await join({ cluster: "picnic", name: "host" });
const guest = await join({ cluster: "picnic", name: "guest" });
console.log(`before: the guest is ${guest.health.state}`);

// In life these texts travel as a message, a link or a QR picture, and minutes may pass.
const invitation = await host.invite();
console.log(`host gives the guest ${invitation.text.slice(0, 19)}…`);
const accepted = await guest.acceptInvite(invitation.text);
console.log(`guest answers with ${accepted.text.slice(0, 14)}…`);

const welcome = guest.hearOnce("welcome");
const linked = host.once("link:up");
await invitation.complete(accepted.text);
await linked;
host.say("welcome", "sit down, the cake is here");
const { data, from } = await welcome;
console.log(`${from.name} says: ${data}`);
console.log(`after: the guest is ${guest.health.state}`);

await Promise.all([host.leave(), guest.leave()]);
