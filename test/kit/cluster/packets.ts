/** Datagrams from one node of a desk to another, counted where they arrive: what a fault does to them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { DeskNode } from '../../../runtime/desk/names.ts';

/** Counts until its input ends and nothing more comes. */
const receiver = `
const socket = require('node:dgram').createSocket('udp4');
let count = 0, idle;
const rest = () => { clearTimeout(idle); idle = setTimeout(() => { console.log(count); process.exit(); }, 200); };
socket.on('message', () => { count++; if (idle) rest(); });
socket.bind(9999, process.argv[1], () => console.log('bound'));
process.stdin.resume().on('end', rest);
`;
const sender = `
const socket = require('node:dgram').createSocket('udp4');
const [to, count] = [process.argv[1], Number(process.argv[2])];
const next = (sent) => sent < count ? socket.send('x', 9999, to, () => next(sent + 1)) : socket.close();
next(0);
`;

const inside = (node: DeskNode, script: string, args: readonly string[]) =>
  spawn('nsenter', [`--net=/run/netns/${node.namespace}`, process.execPath, '-e', script, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });

/** How many of `count` datagrams from one node arrive at `address`, which is the other's. */
export async function arriving(
  from: DeskNode,
  to: DeskNode,
  address: string,
  count: number,
): Promise<number> {
  const receiving = inside(to, receiver, [address]);
  await once(receiving.stdout, 'readable');
  const said = text(receiving.stdout);
  await once(inside(from, sender, [address, String(count)]), 'exit');
  receiving.stdin.end();
  return Number((await said).trim().split('\n').at(-1));
}
