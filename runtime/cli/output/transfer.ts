/** Bytes on their way to the node or from it: how many have passed, where a person looks on; nothing elsewhere. */
import { Readable } from 'node:stream';
import type { Cli } from '../cli.ts';
import { pullBar } from '../views/pull-bar.ts';
import { Screen } from './screen.ts';
import { bytes } from './units.ts';

/** Between two looks, so that drawing costs nothing beside reading. */
const stepBytes = 1_048_576;
const barChars = 24;

/** The same bytes. `after`: what is done once all have passed, until the answer is there; `clear` takes the line away. */
export function watched(
  cli: Cli,
  source: Readable,
  {
    name,
    totalBytes,
    after,
  }: { readonly name: string; readonly totalBytes?: number; readonly after: string },
): { readonly stream: Readable; clear(): void } {
  const { stderr } = cli.process;
  if (stderr.isTTY !== true || cli.wantsJson) return { stream: source, clear: () => undefined };
  const screen = new Screen(stderr);
  let passed = 0;
  const draw = (said?: string): void => screen.draw([transferLine(name, passed, totalBytes, said)]);
  async function* counted(): AsyncGenerator<Uint8Array> {
    let drawn = -stepBytes;
    for await (const chunk of source) {
      const piece = chunk as Uint8Array;
      passed += piece.length;
      if (passed - drawn >= stepBytes) {
        draw();
        drawn = passed;
      }
      yield piece;
    }
    draw(after);
  }
  return { stream: Readable.from(counted(), { objectMode: false }), clear: () => screen.draw([]) };
}

export function transferLine(
  name: string,
  passed: number,
  totalBytes: number | undefined,
  said = '',
): string {
  const amount =
    totalBytes === undefined
      ? bytes(passed)
      : `${pullBar(passed, totalBytes, barChars)}  ${bytes(passed)} / ${bytes(totalBytes)}`;
  return `${name}  ${amount}${said === '' ? '' : `  ${said}`}`;
}
