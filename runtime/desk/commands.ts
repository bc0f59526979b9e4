/** The programs that a desk is made with, and waiting for what they bring about. */
import { coded } from '../../protocols/errors.ts';
import type { Clock } from '../../protocols/ports.ts';
import { createRun } from '../drivers/network/linux/command.ts';
import { realClock } from '../world/real-clock.ts';

const run = createRun({ clock: realClock, within: [] });
const pollMs = 50;

/** Text on standard output; HM-DESK-MACHINE with what the program said when it fails. */
export async function must(what: string, argv: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await run(argv, { input, signal: new AbortController().signal });
  if (code === 0) return stdout;
  throw coded('HM-DESK-MACHINE', `${what} failed: ${stderr.trim().slice(0, 500)}`, {
    command: argv.join(' '),
  });
}

/** `undefined` when it failed: what is looked for is not there. */
export async function may(argv: readonly string[], input = ''): Promise<string | undefined> {
  const { code, stdout } = await run(argv, { input, signal: new AbortController().signal });
  return code === 0 ? stdout : undefined;
}

export const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => void clock.setTimer(ms, resolve));

/** The first answer that is neither undefined nor false; `undefined` when the time is over. */
export async function waitFor<Value>(
  withinMs: number,
  condition: () => Promise<Value | undefined | false>,
): Promise<Value | undefined> {
  const deadline = realClock.monotonicMs() + withinMs;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (realClock.monotonicMs() >= deadline) return undefined;
    await pause(realClock, pollMs);
  }
}
