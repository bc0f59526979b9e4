/** Names of one run of a slot: for people (`shop/web.2#7.3`) and for the container runtime. */
import type { SlotName } from '../apps/model.ts';
import { hashText } from '../hash.ts';
import { limits } from '../limits.ts';
import type { RunKey } from './model.ts';

/** `7.3`: placement and run. */
export function runName(key: Pick<RunKey, 'placement' | 'run'>): string {
  return `${key.placement}.${key.run}`;
}

/** `shop/web.2#7.3` */
export function containerName(key: Pick<RunKey, 'slot' | 'placement' | 'run'>): string {
  return `${key.slot}#${runName(key)}`;
}

/**
 * The runtime's id: `shop-web-2-<hash of the slot>-7.3.1`. At most 76 characters, alphanumerics joined by single
 * `.` or `-`, as containerd wants it. The numbers stand in full and the hash has 64 bits, so two keys never share
 * an id; the readable start gives way when it is too long.
 */
export function containerId(key: RunKey): string {
  const tail = `${hashText(key.slot).slice(0, 16)}-${runName(key)}.${key.attempt}`;
  const start = key.slot
    .replace(/[^A-Za-z0-9]+/g, '-')
    .slice(0, limits.containerIdChars - tail.length - 1)
    .replace(/^-+|-+$/g, '');
  return start === '' ? tail : `${start}-${tail}`;
}

/** Whether a container of this id is one of the slot's, of whatever run. */
export function isOfSlot(id: string, slot: SlotName): boolean {
  return /([0-9a-f]{16})-\d+\.\d+\.\d+$/.exec(id)?.[1] === hashText(slot).slice(0, 16);
}
