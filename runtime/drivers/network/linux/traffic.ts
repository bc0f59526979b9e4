/** What went over each link of a machine, from `/proc/net/dev`: one small file for all of them, however many there are. */
import type { Traffic } from '../../../../protocols/containers/model.ts';

/** By link, as the other end of a pair sees it: what the host's end sent the container received. */
export function parseTraffic(text: string): ReadonlyMap<string, Omit<Traffic, 'id'>> {
  const links = text.split('\n').flatMap((line) => {
    const [, name, counts] = /^\s*(\S+):\s*([\d\s]+)$/.exec(line) ?? [];
    if (name === undefined || counts === undefined) return [];
    // Eight columns of what was received, then eight of what was sent: bytes, packets, errs, drop, ….
    const count = counts.trim().split(/\s+/).map(Number);
    const flow = (at: number) => ({
      bytes: count[at] ?? 0,
      packets: count[at + 1] ?? 0,
      errors: count[at + 2] ?? 0,
      dropped: count[at + 3] ?? 0,
    });
    return [[name, { received: flow(8), sent: flow(0) }] as const];
  });
  return new Map(links);
}
