/** The actor system from outside: the tree, one actor, the transcript. Reads only; contexts come masked from the kernel. */
import { z } from '@hono/zod-openapi';
import { coded } from '../../../../protocols/errors.ts';
import type { Frame, TranscriptLine } from '../../../../protocols/inspection.ts';
import type { ActorPath } from '../../../../protocols/wire/address.ts';
import { transcriptLine as textOf } from '../../../kernel/transcript.ts';
import { listRoute } from '../../lists/list-route.ts';
import { jsonRoute, lineRoute } from '../../route.ts';
import { actorPath, lineCount, switched } from '../../schemas/query.ts';
import { actorShow, actorView, gapView, transcriptLine } from '../../schemas/views.ts';

const tree = listRoute({
  id: 'listActors',
  path: '/v1/actors',
  summary: 'All actors, parents before children',
  name: 'actors',
  row: actorView,
  key: ({ path }) => path,
  rows: async ({ node }) => [
    ...node.actors.tree(),
    ...((await node.cluster?.membership.actors.tree()) ?? []),
  ],
});

const show = jsonRoute({
  id: 'getActor',
  method: 'get',
  path: '/v1/actors/show',
  summary: 'One actor with its context, secrets masked',
  query: z.object({ path: actorPath }),
  answer: actorShow,
  run: async ({ node, query: { path } }) => {
    const found = node.actors.show(path) ?? (await node.cluster?.membership.actors.show(path));
    if (!found) throw coded('HM-ACTOR-UNKNOWN', `No actor lives at ${path}`, { path });
    return found;
  },
});

const transcript = lineRoute({
  id: 'readTranscript',
  method: 'get',
  path: '/v1/actors/transcript',
  summary: 'The newest transitions at or below a path, oldest first; with follow=true also those to come',
  query: z.object({ path: actorPath.default('/'), limit: lineCount(100), follow: switched }),
  line: z.union([transcriptLine, gapView]),
  run: async ({ node: { actors, cluster }, query: { path, limit, follow } }) => {
    const remote = cluster?.membership.actors;
    const theirs = (await remote?.transcript({ under: path, limit })) ?? [];
    const present = () => merged(actors.transcript({ under: path, limit }), theirs, limit);
    if (!follow) return { present };
    return {
      present,
      follow: (push: (line: TranscriptLine) => void) => {
        const stop = actors.watch((frame) => {
          if (isUnder(frame.path, path)) push(lineOf(frame));
        });
        const stopRemote = remote?.follow((line) => {
          if (isUnder(line.path, path)) push(line);
        });
        return () => {
          stop();
          stopRemote?.();
        };
      },
    };
  },
});

/** Those of both kernels, by time. */
function merged(
  ours: readonly TranscriptLine[],
  theirs: readonly TranscriptLine[],
  limit: number,
): readonly TranscriptLine[] {
  if (theirs.length === 0) return ours;
  return [...ours, ...theirs].sort((a, b) => a.at - b.at).slice(-limit);
}

function isUnder(path: ActorPath, top: ActorPath): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`);
}

function lineOf(frame: Frame): TranscriptLine {
  return { seq: frame.seq, at: frame.at, path: frame.path, text: textOf(frame) };
}

export const actorRoutes = [tree, show, transcript];
