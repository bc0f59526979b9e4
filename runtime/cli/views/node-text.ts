/** A node as a member, for people: how it stands, who says so, what each plane says. */
import { isLoopback } from '../../../protocols/cluster/api-place.ts';
import { reason, type Reason } from '../../../protocols/errors.ts';
import type { NodeRow, PlaneAnswer } from '../connection/answers.ts';
import { age, bytes, elapsed, timeOfDay } from '../output/units.ts';
import { recordsText } from './node-machine.ts';

export const isWell = ({ state, member }: NodeRow): boolean =>
  state === 'left' || (state === 'alive' && (member === undefined || member.condition === 'ready'));

/** `alive`, `alive, stalled`, `suspected by n1, n3`. */
export function standing({ state, member }: NodeRow): string {
  const by = member?.suspectedBy.map(({ name }) => name) ?? [];
  if (state === 'suspected') return by.length > 0 ? `suspected by ${by.join(', ')}` : state;
  if (state !== 'alive' || member === undefined || member.condition === 'ready') return state;
  return `alive, ${member.condition}`;
}

/** `0.4 ms`, `-`. */
export const roundTrip = ({ rttMs }: PlaneAnswer): string =>
  rttMs === undefined ? '-' : `${rttMs.toFixed(1)} ms`;

/** `heard 0.2s ago`, `silent for 4.1s`, `not tried yet`, `heard 0.2s ago, for 24s by way of others alone`. */
export function planeSays({ heardAt, rttMs, failingSince, indirectSince }: PlaneAnswer, now: number): string {
  if (heardAt === undefined) return failingSince === undefined ? 'not tried yet' : 'never heard';
  const silence = elapsed(Math.max(0, now - heardAt));
  if (failingSince !== undefined) return `silent for ${silence}`;
  if (indirectSince !== undefined)
    return `heard ${silence} ago, for ${elapsed(Math.max(0, now - indirectSince))} by way of others alone`;
  return `heard ${silence} ago${rttMs === undefined ? '' : `, round trip ${rttMs.toFixed(1)} ms`}`;
}

export function planesText({ member }: NodeRow, now: number): string[] {
  if (member === undefined || member.self) return [];
  return [
    `  datagrams  ${planeSays(member.planes.datagram, now)}`,
    `  streams    ${planeSays(member.planes.stream, now)}`,
  ];
}

/** `open for 4m, idle`, `open for 4m, 1 asked and 1 being answered, 3 frames (12.0KiB) wait`, `none for 10s`. */
function connectionText({ connection }: NodeRow, now: number): string[] {
  if (connection === undefined) return [];
  const { open, idle, since, asking, answering, queuedFrames, queuedBytes } = connection;
  const lasted = age(now - since);
  if (!open) return [`  connection none for ${lasted}`];
  const work = idle ? 'idle' : `${asking} asked and ${answering} being answered`;
  const waiting = queuedFrames === 0 ? '' : `, ${queuedFrames} frames (${bytes(queuedBytes)}) wait`;
  return [`  connection open for ${lasted}, ${work}${waiting}`];
}

/** Who suspects it, one a line: the first first. */
export function accusersText({ member }: NodeRow, now: number): string[] {
  return (member?.suspectedBy ?? []).map(
    ({ name, since }) => `  ${name} says so since ${timeOfDay(since)} (${elapsed(Math.max(0, now - since))})`,
  );
}

/** What is not as wished of a node, `undefined` when all is. */
export function reasonOfNode(row: NodeRow): Reason | undefined {
  const { name, state, member } = row;
  const evidence = { node: name, ...(member === undefined ? {} : { address: member.address }) };
  if (state === 'dead') return reason('HM-MEMBER-DEAD', `${name} is dead: nobody heard it`, evidence);
  if (state === 'suspected') return reason('HM-MEMBER-SUSPECTED', `${name} is ${standing(row)}`, evidence);
  if (member?.condition === 'stalled')
    return reason('HM-MEMBER-STALLED', `${name} says that its main loop hangs`, evidence);
  return undefined;
}

export function describeNode(row: NodeRow, now: number): string[] {
  const { name, role, leader, boot, version, apiAddress, member, machine, slots, running } = row;
  return [
    `${name}  ${standing(row)}`,
    `  role       ${role}${leader ? ', leads' : ''}`,
    ...(member
      ? [
          `  since      ${timeOfDay(member.since)} (${elapsed(Math.max(0, now - member.since))})`,
          `  address    ${member.address}${member.zone === '' ? '' : `, zone ${member.zone}`}`,
          `  id         ${member.id}`,
        ]
      : []),
    ...(apiAddress === undefined
      ? []
      : [`  API        ${apiAddress}${isLoopback(apiAddress) ? ' of its machine' : ''}`]),
    `  boot       ${boot}${version === undefined ? '' : `, version ${version}`}`,
    ...planesText(row, now),
    ...connectionText(row, now),
    ...accusersText(row, now),
    ...(slots === undefined ? [] : [`  slots      ${slots}, ${running ?? 0} running`]),
    ...recordsText(row, now),
    ...(machine
      ? [
          `  machine    ${machine.cpus} processors, ${bytes(machine.memoryBytes)} memory (${bytes(machine.memoryFreeBytes)} free), ${bytes(machine.diskBytes)} disk (${bytes(machine.diskFreeBytes)} free)`,
          `  system     ${machine.os}, ${machine.kernel}, ${machine.architecture}`,
        ]
      : []),
  ];
}
