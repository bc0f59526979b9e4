/**
 * The event stream: exits and out-of-memory kills of this node's containers. containerd does not replay what was
 * missed, so every (re)connection ends with a `resync`, sent when the subscription is known to work: a marker of
 * our own is published until the stream brings it back. Whoever lists after `resync` misses nothing.
 */
import { fromBinary } from '@bufbuild/protobuf';
import { anyPack, EmptySchema } from '@bufbuild/protobuf/wkt';
import { create as message } from '@bufbuild/protobuf';
import type { RuntimeEvent } from '../../../../../protocols/containers/model.ts';
import type { Clock, Stop } from '../../../../../protocols/ports.ts';
import type { Engine } from '../engine.ts';
import { TaskExitSchema, TaskOOMSchema, TaskPausedSchema } from '../gen/payloads/events_pb.ts';
import { Events, type Envelope } from '../gen/services/events_pb.ts';
import { oomKillsIn } from './cgroup.ts';
import { exitOf } from './record.ts';

const markerTopic = '/hivemind/subscribed';
/** How often the marker is sent until it comes back, and how soon a lost stream is opened again. */
const markerMs = 50;
const reconnectMs = 200;

export function followEvents(engine: Engine, notify: (event: RuntimeEvent) => void): Stop {
  const stopped = new AbortController();
  void (async () => {
    while (!stopped.signal.aborted) {
      await follow(engine, notify, stopped.signal).catch(() => {
        // Whatever ended the stream: the next one begins with a resync.
      });
      await pause(engine.clock, reconnectMs, stopped.signal);
    }
  })();
  return () => stopped.abort();
}

async function follow(
  engine: Engine,
  notify: (event: RuntimeEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const filters = ['/tasks/exit', '/tasks/oom', '/tasks/paused', '/tasks/resumed', markerTopic].map(
    (topic) => `namespace==${engine.namespace},topic==${JSON.stringify(topic)}`,
  );
  const stream = engine.connection.serverStream(
    Events.method.subscribe,
    { filters },
    { signal: AbortSignal.any([signal, ended.signal]) },
  );
  let marked = false;
  void publishMarker(engine, () => marked, ended);
  try {
    for await (const envelope of stream) {
      if (signal.aborted) return;
      if (envelope.topic === markerTopic) {
        if (!marked) notify({ type: 'resync' });
        marked = true;
      } else {
        const event = await eventOf(engine, envelope);
        if (event && !signal.aborted) notify(event);
      }
    }
  } finally {
    ended.abort();
  }
}

/** Until it came back; ends the stream when containerd does not take it. */
async function publishMarker(engine: Engine, came: () => boolean, ended: AbortController): Promise<void> {
  const marker = { topic: markerTopic, event: anyPack(EmptySchema, message(EmptySchema)) };
  try {
    while (!came() && !ended.signal.aborted) {
      await engine.connection.unary(Events.method.publish, marker, engine.callLimits(ended));
      await pause(engine.clock, markerMs, ended.signal);
    }
  } catch {
    ended.abort();
  }
}

/** Execs exit too: only the first process of a container is one. */
async function eventOf(engine: Engine, { topic, event }: Envelope): Promise<RuntimeEvent | undefined> {
  if (!event) return undefined;
  if (topic === '/tasks/oom') {
    return { type: 'oom', id: fromBinary(TaskOOMSchema, event.value).containerId };
  }
  if (topic === '/tasks/paused' || topic === '/tasks/resumed') {
    const { containerId } = fromBinary(TaskPausedSchema, event.value);
    return { type: 'paused', id: containerId, paused: topic === '/tasks/paused' };
  }
  const exit = fromBinary(TaskExitSchema, event.value);
  if (exit.id !== exit.containerId) return undefined;
  const oomKills = await oomKillsIn(engine.cgroups, engine.cgroupOf(exit.containerId));
  return { type: 'exited', id: exit.containerId, exit: exitOf(exit.exitStatus, exit.exitedAt, oomKills) };
}

/** Ends early when the signal fires. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = clock.setTimer(ms, done);
    function done() {
      clock.clearTimer(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
