/** `image pull`: bars for each layer where a person looks on, plain lines elsewhere. */
import type { PullProgress } from '../../../../protocols/containers/model.ts';
import { CodedError } from '../../../../protocols/errors.ts';
import type { Cli } from '../../cli.ts';
import { exitCodes } from '../../failure.ts';
import { Screen } from '../../output/screen.ts';
import { bytes } from '../../output/units.ts';
import { pullBar } from '../../views/pull-bar.ts';

export interface PullOptions {
  readonly platform?: string;
  readonly policy?: string;
}

export async function pullImage(cli: Cli, image: string, options: PullOptions): Promise<number> {
  const client = await cli.client();
  const { platform, policy } = options;
  const wish = {
    image,
    ...(platform === undefined ? {} : { platform }),
    ...(policy === undefined ? {} : { policy }),
  };
  const { interrupted, stderr } = cli.process;
  const screen = stderr.isTTY === true && !cli.wantsJson ? new Screen(stderr) : undefined;
  let last: PullProgress | undefined;
  for await (const line of client.lines<PullProgress>('/v1/images/pull', {}, interrupted, wish)) {
    if (screen) screen.draw(pullFrame(line));
    else if (line.phase !== last?.phase && line.phase !== 'failed') cli.say(pullLine(line));
    last = line;
  }
  if (interrupted.aborted) return exitCodes.interrupted;
  if (last?.reason) throw new CodedError(last.reason);
  cli.print(cli.wantsJson ? JSON.stringify(last) : `${last?.image ?? image}@${last?.digest ?? ''}`);
  return exitCodes.ok;
}

export function pullLine({ image, phase, doneBytes, totalBytes, layers }: PullProgress): string {
  if (totalBytes === 0) return `${image}  ${phase}`;
  return `${image}  ${phase}  ${bytes(doneBytes)} of ${bytes(totalBytes)}, ${layers.length} layers`;
}

const barChars = 24;

/** One line for all, one for each layer. */
export function pullFrame(progress: PullProgress): readonly string[] {
  const rows = progress.layers.map(({ digest, phase, doneBytes, totalBytes }) => {
    const bar = pullBar(doneBytes, totalBytes, barChars);
    return `  ${digest.slice(7, 19)}  ${bar}  ${bytes(doneBytes).padStart(9)} / ${bytes(totalBytes).padEnd(9)} ${phase}`;
  });
  return [pullLine(progress), ...rows];
}
