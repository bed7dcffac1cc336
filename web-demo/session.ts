/** This page's place in the mesh: joined at once, with or without a server that answers. */

import { join, type Mesh, type Peer } from "../src/index.browser.ts";
import { keepName, takeName } from "./names.ts";
import {
  freeColour,
  NAME_LENGTH_MAX,
  type Profile,
  profileOf,
  randomColour,
  sinceOf,
  type Told,
} from "./profile.ts";
import type { Settings } from "./settings.ts";
import { oneLine } from "./text.ts";

export interface Session {
  readonly mesh: Mesh;
  readonly profile: Profile;
  /** The signaling server of this page, in use or not. */
  readonly server: string | undefined;
  rename(name: string): void;
}

/**
 * Without seeds `join` has nothing to wait for; the server is added afterwards. So a server that cannot be reached
 * is shown and tried again, and the page is usable all the while: an invitation works.
 * @param invited the person came with an invitation: the server is left alone, or it would be beside the point
 */
export async function openSession(settings: Settings, invited: boolean): Promise<Session> {
  let profile: Told = {
    name: oneLine(takeName(), NAME_LENGTH_MAX),
    colour: randomColour(),
    since: Date.now(),
  };
  const mesh = await join({ cluster: settings.cluster, name: profile.name, meta: profile });
  const describe = (changed: Partial<Profile>): void => {
    profile = { ...profile, ...changed };
    mesh.describe({ name: profile.name, meta: profile });
  };
  /** Of two with one colour the later one takes another; who tells no time, as a Node process, keeps its own. */
  const settleColour = (): void => {
    const others = mesh.peers.live.map((peer) => ({ peer, colour: profileOf(peer).colour }));
    const yields = ({ peer, colour }: { peer: Peer; colour: number }): boolean => {
      const earlier = sinceOf(peer.meta) - profile.since || (peer.id < mesh.self.id ? -1 : 1);
      return colour === profile.colour && earlier < 0;
    };
    if (!others.some(yields)) return;
    const colour = freeColour(new Set(others.map((other) => other.colour)), profile.colour);
    if (colour !== profile.colour) describe({ colour });
  };
  mesh.on("peer:up", settleColour);
  mesh.on("peer:update", settleColour);
  addEventListener("pagehide", () => keepName(profile.name));
  const { server } = settings;
  if (server !== undefined && !invited) mesh.addSeed(server);
  return {
    mesh,
    get profile() {
      return profile;
    },
    server,
    rename(text) {
      const name = oneLine(text, NAME_LENGTH_MAX);
      if (name !== "" && name !== profile.name) describe({ name });
    },
  };
}
