/** Where the peers stand in the picture: d3-force pushes them apart and their links pull them together. */

import {
  type Force,
  forceCollide,
  forceLink,
  forceManyBody,
  forceSimulation,
  forceX,
  forceY,
  type Simulation,
  type SimulationLinkDatum,
  type SimulationNodeDatum,
} from "d3-force";
import { isHere, type Person } from "../people.ts";

export interface GraphNode extends SimulationNodeDatum {
  readonly id: string;
  person: Person;
  x: number;
  y: number;
  readonly bornAt: number;
}

export interface GraphLink extends SimulationLinkDatum<GraphNode> {
  readonly key: string;
  readonly source: GraphNode;
  readonly target: GraphNode;
  /** One of its ends are we. */
  readonly own: boolean;
}

export const NODE_RADIUS = 17;

export class GraphModel {
  nodes: GraphNode[] = [];
  links: GraphLink[] = [];
  readonly #simulation: Simulation<GraphNode, GraphLink>;
  #width = 300;
  #height = 300;
  #shape = "";

  constructor() {
    this.#simulation = forceSimulation<GraphNode, GraphLink>()
      .alphaDecay(0.035)
      .velocityDecay(0.3)
      .force("apart", forceManyBody().strength(-900))
      .force("collide", forceCollide(NODE_RADIUS + 15))
      .force("x", forceX<GraphNode>().strength(0.09))
      .force("y", forceY<GraphNode>().strength(0.14))
      .force("inside", this.#inside())
      .stop();
  }

  get moving(): boolean {
    return this.#simulation.alpha() > this.#simulation.alphaMin();
  }

  resize(width: number, height: number): void {
    this.#width = width;
    this.#height = height;
    this.#simulation.alpha(0.5);
  }

  update(people: readonly Person[], now: number): void {
    const known = new Map(this.nodes.map((node) => [node.id, node]));
    this.nodes = people.map((person, index) => {
      const node = known.get(person.id) ?? this.#born(person, index, now);
      node.person = person;
      return node;
    });
    this.links = linksAmong(this.nodes);
    const shape = [
      ...this.nodes.map(({ id }) => id),
      ...this.links.map(({ key }) => key).sort(),
    ].join();
    if (shape === this.#shape) return;
    this.#shape = shape;
    const distance = Math.max(66, Math.min(this.#width, this.#height) * 0.5);
    this.#simulation
      .nodes(this.nodes)
      .force("link", forceLink<GraphNode, GraphLink>(this.links).distance(distance).strength(0.22))
      .alpha(0.7);
  }

  tick(): void {
    this.#simulation.tick();
  }

  /** For who wants no motion: all of it at once. */
  settle(): void {
    this.#simulation.tick(220);
    this.#simulation.alpha(0);
  }

  nodeAt(x: number, y: number): GraphNode | undefined {
    return this.nodes.find((node) => Math.hypot(node.x - x, node.y - y) < NODE_RADIUS + 5);
  }

  drag(node: GraphNode, at: { readonly x: number; readonly y: number } | undefined): void {
    node.fx = at?.x ?? null;
    node.fy = at?.y ?? null;
    this.#simulation.alpha(Math.max(this.#simulation.alpha(), 0.3));
  }

  #born(person: Person, index: number, now: number): GraphNode {
    const angle = index * 2.4;
    const far = person.self ? 0 : 60;
    return {
      id: person.id,
      person,
      x: Math.cos(angle) * far,
      y: Math.sin(angle) * far,
      bornAt: now,
    };
  }

  /** Nobody leaves the picture, and there is room for the name below. */
  #inside(): Force<GraphNode, GraphLink> {
    return () => {
      const x = this.#width / 2 - NODE_RADIUS - 32;
      const y = this.#height / 2 - NODE_RADIUS;
      for (const node of this.nodes) {
        node.x = Math.max(-x, Math.min(x, node.x));
        node.y = Math.max(-y + 10, Math.min(y - 26, node.y));
      }
    };
  }
}

/** Either end announces a link; one that only one of them announces is just coming or going and shown as well. */
function linksAmong(nodes: readonly GraphNode[]): GraphLink[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const links = new Map<string, GraphLink>();
  for (const source of nodes) {
    if (!isHere(source.person.state)) continue;
    for (const id of source.person.links) {
      const target = byId.get(id);
      if (target === undefined || target === source || !isHere(target.person.state)) continue;
      // Which links are ours we know better than anybody.
      const own = source.person.self || target.person.self;
      if (own && !source.person.self) continue;
      const key = source.id < target.id ? `${source.id}${target.id}` : `${target.id}${source.id}`;
      links.set(key, { key, source, target, own });
    }
  }
  return [...links.values()];
}
