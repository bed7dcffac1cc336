/** This page's place in the mesh: joined at once, with or without a server that answers. */

import { join, type Mesh, type Peer } from "../src/index.browser.ts";
import { keepName, takeName } from "./names.ts";
import { freeColour, NAME_LENGTH_MAX, type Profile, profileOf, randomColour } from "./profile.ts";
import type { Settings } from "./settings.ts";
import { oneLine } from "./text.ts";

export interface Session {
  readonly mesh: Mesh;
  readonly profile: Profile;
  rename(name: string): void;
}

/**
 * Without seeds `join` has nothing to wait for; the server is added afterwards. So a server that cannot be reached
 * is shown and tried again, and the page is usable all the while: an invitation works.
 * @param invited the person came with an invitation: the server stays disconnected, or it would be beside the point
 */
export async function openSession(settings: Settings, invited: boolean): Promise<Session> {
  let profile: Profile = { name: oneLine(takeName(), NAME_LENGTH_MAX), colour: randomColour() };
  const mesh = await join({ cluster: settings.cluster, name: profile.name, meta: profile });
  const describe = (changed: Partial<Profile>): void => {
    profile = { ...profile, ...changed };
    mesh.setMeta(profile);
  };
  /** Of two with one colour the one with the higher id takes another; who tells no colour keeps its own. */
  const settleColour = (): void => {
    const others = mesh.peers.live.map((peer) => ({ peer, colour: profileOf(peer).colour }));
    const yields = ({ peer, colour }: { peer: Peer; colour: number }): boolean =>
      colour === profile.colour && (peer.node || peer.id < mesh.self.id);
    if (!others.some(yields)) return;
    const colour = freeColour(new Set(others.map((other) => other.colour)), profile.colour);
    if (colour !== profile.colour) describe({ colour });
  };
  mesh.on("peer:up", settleColour);
  mesh.on("peer:update", settleColour);
  addEventListener("pagehide", () => keepName(profile.name));
  if (settings.server !== undefined) {
    mesh.addSeed(settings.server);
    if (invited) for (const seed of mesh.seeds) seed.pause();
  }
  return {
    mesh,
    get profile() {
      return profile;
    },
    rename(text) {
      const name = oneLine(text, NAME_LENGTH_MAX);
      if (name !== "" && name !== profile.name) describe({ name });
    },
  };
}
