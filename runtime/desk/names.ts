/**
 * What a desk calls things: a cluster of several nodes on one machine. Every name follows from the desk's own, so that
 * whatever a killed command left behind is found again without its notes.
 */
import { join } from 'node:path';
import { coded } from '../../protocols/errors.ts';

export interface DeskName {
  /** Names namespaces, links and tables: ≤ 6 lower-case letters and digits. */
  readonly tag: string;
  /** Nodes are called by it and their number: `n` makes `n1`, `n2`. */
  readonly prefix: string;
  /** Absolute; everything of the desk is below it. */
  readonly folder: string;
}

export interface DeskNode {
  readonly name: string;
  readonly number: number;
  /** Of its network, in `/run/netns`. */
  readonly namespace: string;
  /** The host's end of its link; what is dropped is dropped by this name. */
  readonly link: string;
  readonly dataDir: string;
  readonly socketPath: string;
  readonly logPath: string;
  readonly containerdNamespace: string;
  /** Parent of its containers' cgroups, from the root of a hierarchy. */
  readonly cgroup: string;
}

/** The one that `npm run cluster` has when nothing else is said. */
export const usualTag = 'desk';

/** Several desks can stand on a machine: one of another name has nodes of other names. HM-DESK-NODE for a wrong one. */
export function deskCalled(tag: string): DeskName {
  if (!/^[a-z][a-z0-9]{0,5}$/.test(tag)) {
    const form = 'at most 6 lower-case letters and digits, a letter first';
    throw coded('HM-DESK-NODE', `"${tag}" is no name for a desk: ${form}`, {});
  }
  const prefix = tag === usualTag ? 'n' : `${tag}n`;
  return { tag, prefix, folder: `/var/lib/hivemind-${tag}` };
}

/** Each is a daemon of some 70 MB, and its number is part of its address. */
export const mostNodes = 60;

/** Links have at most 15 characters: `hm-`, the tag, `-`, the number. */
export const linksOf = ({ tag }: DeskName): string => `hm-${tag}`;

export function nodeOf(desk: DeskName, number: number): DeskNode {
  const name = `${desk.prefix}${number}`;
  return {
    name,
    number,
    namespace: `${linksOf(desk)}-${number}`,
    link: `${linksOf(desk)}-${number}`,
    dataDir: join(desk.folder, name),
    socketPath: join(desk.folder, `${name}.sock`),
    logPath: join(desk.folder, `${name}.log`),
    containerdNamespace: `hivemind-${desk.tag}-${name}`,
    cgroup: `/hivemind-${name}`,
  };
}

export function nodesOf(desk: DeskName, count: number): readonly DeskNode[] {
  return Array.from({ length: count }, (_, index) => nodeOf(desk, index + 1));
}

/** `n1,n3` → those nodes. HM-DESK-NODE for one that the desk does not have. */
export function nodesNamed(nodes: readonly DeskNode[], text: string): readonly DeskNode[] {
  return text.split(',').map((name) => {
    const node = nodes.find((one) => one.name === name);
    if (node) return node;
    const names = nodes.map((one) => one.name).join(', ');
    throw coded('HM-DESK-NODE', `There is no node "${name}" on the desk`, { nodes: names });
  });
}

/** The addresses of a desk, by the second byte of its 10.x.0.0/16. */
export const network = {
  whole: (second: number): string => `10.${second}.0.0/16`,
  host: (second: number): string => `10.${second}.0.254`,
  /** `moves`: how often the node has got another address. The fifth is the first again. */
  node: (second: number, { number }: DeskNode, moves = 0): string =>
    `10.${second}.0.${number + mostNodes * (moves % 4)}`,
  /** The containers of a node; all of these together are `pool`. */
  block: (second: number, { number }: DeskNode): string => `10.${second}.${128 + number}.0/24`,
  prefix: 24,
} as const;
