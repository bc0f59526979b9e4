/** Signals by their names, as Compose files and people write them. */
import { constants } from 'node:os';
import { coded } from '../../../protocols/errors.ts';

/** `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`. HM-CONFIG for anything else. */
export function signalNumber(name: string): number {
  if (/^\d+$/.test(name)) return Number(name);
  const full = name.toUpperCase().startsWith('SIG') ? name.toUpperCase() : `SIG${name.toUpperCase()}`;
  const realTime = /^SIGRTMIN(?:\+(\d+))?$/.exec(full);
  if (realTime) return 34 + Number(realTime[1] ?? 0);
  const number = (constants.signals as Readonly<Record<string, number>>)[full];
  if (number === undefined) throw coded('HM-CONFIG', `There is no signal ${name}.`, { signal: name });
  return number;
}
