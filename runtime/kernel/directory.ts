/** The actor system as API and inspector see it: views on demand, secrets masked. Reads only. */
import type { AnyMachineSnapshot } from 'xstate';
import type { ActorDirectory, ActorView, TranscriptLine } from '../../protocols/inspection.ts';
import { limits } from '../../protocols/limits.ts';
import type { ActorPath } from '../../protocols/wire/address.ts';
import type { Cell } from './cell.ts';
import type { Host } from './host.ts';
import { maskSecrets } from '../../protocols/mask.ts';
import { phaseText, transcriptLine } from './transcript.ts';

export function createDirectory(host: Host): ActorDirectory {
  const { recorder } = host;
  return {
    tree: () => {
      const views: ActorView[] = [];
      const root = host.cells.get('/');
      if (root !== undefined) collect(host, root, views);
      return views;
    },
    show: (path) => {
      const cell = host.cells.get(path);
      if (cell === undefined) return undefined;
      return { ...view(host, cell), context: maskSecrets(snapshotOf(cell)?.context) };
    },
    transcript: ({ under = '/', limit }) => newestLines(host, under, limit),
    watch: (listener) => recorder.watch(listener),
    counters: () => ({ actors: host.cells.size, fullest: host.fullest, ...recorder.counters() }),
  };
}

function newestLines(host: Host, under: ActorPath, limit: number): TranscriptLine[] {
  const lines: TranscriptLine[] = [];
  const wanted = Math.min(limit, limits.transcriptLines);
  if (wanted <= 0) return lines;
  for (const frame of host.recorder.newest(under)) {
    lines.push({ seq: frame.seq, at: frame.at, path: frame.path, text: transcriptLine(frame) });
    if (lines.length === wanted) break;
  }
  return lines.reverse();
}

function collect(host: Host, cell: Cell, views: ActorView[]): void {
  views.push(view(host, cell));
  for (const child of cell.children?.values() ?? []) collect(host, child, views);
}

function view(host: Host, cell: Cell): ActorView {
  const snapshot = snapshotOf(cell);
  const life = host.lives.of(cell.path);
  return {
    path: cell.path,
    address: cell.address,
    machine: cell.spec.machine,
    phase: snapshot === undefined ? '' : phaseText(snapshot.value),
    tags: snapshot === undefined ? [] : [...snapshot.tags].sort(),
    mailbox: cell.ordinary.size + cell.system.size,
    processed: cell.processed,
    restarts: life?.restarts ?? 0,
    startedAt: cell.startedAt,
    ...(cell.parent === undefined ? {} : { parent: cell.parent.path }),
    children: [...(cell.children?.values() ?? [])].map((child) => child.path),
    ...(life?.lastCrash === undefined ? {} : { lastCrash: life.lastCrash }),
  };
}

function snapshotOf(cell: Cell): AnyMachineSnapshot | undefined {
  return cell.actor?.getSnapshot() as AnyMachineSnapshot | undefined;
}
