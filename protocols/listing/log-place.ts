/** How far somebody has read in the logs of a slot, as text: `7.3:120:0` is run 7.3, 120 bytes of stdout, none of stderr. */

type Stream = 'stdout' | 'stderr';

interface PlacedLine {
  readonly run: string;
  readonly stream: Stream;
  readonly place: string;
}

export const placePattern = /^(\d{1,15}\.\d{1,15}):(\d{1,15}):(\d{1,15})$/;

interface Place {
  readonly run: string;
  readonly ends: Readonly<Record<Stream, number>>;
}

export function formatPlace(run: string, ends: Readonly<Record<Stream, number>>): string {
  return `${run}:${ends.stdout}:${ends.stderr}`;
}

export function parsePlace(text: string): Place | undefined {
  const match = placePattern.exec(text);
  if (!match) return undefined;
  return { run: match[1]!, ends: { stdout: Number(match[2]), stderr: Number(match[3]) } };
}

/** Which line it is: by its run, its stream and where it ends. */
export function lineKey({ run, stream, place }: PlacedLine): string {
  return `${run} ${stream} ${parsePlace(place)?.ends[stream]}`;
}

/** Of lines of a slot those that are behind a place; all of them when it is none. */
export function behind<Line extends PlacedLine>(
  lines: readonly Line[],
  place: string | undefined,
): readonly Line[] {
  const from = place === undefined ? undefined : parsePlace(place);
  if (!from) return lines;
  return lines.filter((line) => {
    if (line.run !== from.run) return runOrder(line.run) > runOrder(from.run);
    return (parsePlace(line.place)?.ends[line.stream] ?? 0) > from.ends[line.stream];
  });
}

/** Runs of a slot by age: placement, then count. */
export function runOrder(run: string): number {
  const [placement = 0, count = 0] = run.split('.').map(Number);
  return placement * 1_000_000 + count;
}
