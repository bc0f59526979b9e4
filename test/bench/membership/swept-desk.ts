/** A desk of the bench, whose names are always the same: what a killed run left of it is swept before it is made, and nothing is left of it in the end. */
import { join } from 'node:path';
import type { Environment } from '../../../runtime/config/environment.ts';
import { bringDown } from '../../../runtime/desk/desk.ts';
import { deskCalled, type DeskName } from '../../../runtime/desk/names.ts';
import { takeDown } from '../../../runtime/desk/take-down.ts';
import { whenLeaving } from '../leaving.ts';
import { pause } from '../pause.ts';

export interface SweptDesk {
  readonly name: DeskName;
  /** The tool's contexts are below the desk's own folder. */
  readonly environment: Environment;
  /** Takes the desk down; nobody need do it when the process is told to end. */
  end(): Promise<void>;
}

/** Of what is begun while the desk is taken down nothing goes on for longer: its nodes are gone. */
const startingMs = 30_000;
const silent = (): void => undefined;

/** `make` makes the desk: whatever becomes of it, `end` removes it all. */
export async function sweptDesk(
  tag: string,
  make: (desk: Omit<SweptDesk, 'end'>) => Promise<void>,
): Promise<SweptDesk> {
  const name = deskCalled(tag);
  const environment = { HOME: join(name.folder, 'home') };
  await bringDown(name, environment, silent);
  let starting: Promise<unknown> = Promise.resolve();
  const end = whenLeaving(async () => {
    // Without its lock, which whoever makes it holds: what is being started ends by that.
    await takeDown(name, environment, silent).catch(silent);
    await Promise.race([starting, pause(startingMs)]);
    await bringDown(name, environment, silent);
  });
  const made = make({ name, environment });
  starting = made.catch(silent);
  try {
    await made;
  } catch (thrown) {
    await end();
    throw thrown;
  }
  return { name, environment, end };
}
