/** The diagram shows what the chart says, and nothing else. */
import { expect, it } from 'vitest';
import { setup } from 'xstate';
import { mermaidOf } from '../../../runtime/kernel/states.ts';
import { supervisorMachine } from '../../../supervisors/supervisor.machine.ts';

it('draws nested and parallel states, guards, delays, actions and tags', () => {
  const machine = setup({
    types: {} as { tags: 'ready' },
    guards: { isOurs: () => true },
    delays: { retry: 1_000 },
    actions: { note: () => {} },
  }).createMachine({
    id: 'slot',
    initial: 'idle',
    on: { 'sys.shutdown': '.gone', 'slot.report': { actions: 'note' } },
    states: {
      idle: {
        always: { guard: 'isOurs', target: 'busy' },
        after: { retry: 'busy', 500: { actions: 'note' } },
      },
      busy: {
        tags: 'ready',
        type: 'parallel',
        states: {
          net: { initial: 'up', states: { up: { on: { 'net.lost': 'down' } }, down: {} } },
          probe: { initial: 'quiet', states: { quiet: {} } },
        },
        on: { 'slot.free': [{ guard: 'isOurs', target: 'idle' }, { actions: 'note' }] },
      },
      gone: { type: 'final' },
    },
  });
  expect(mermaidOf(machine)).toBe(`stateDiagram-v2
  [*] --> idle
  state "idle" as idle
  state "busy (ready)" as busy
  state busy {
    state "net" as busy_net
    state busy_net {
      [*] --> busy_net_up
      state "up" as busy_net_up
      state "down" as busy_net_down
      busy_net_up --> busy_net_down : net.lost
    }
    --
    state "probe" as busy_probe
    state busy_probe {
      [*] --> busy_probe_quiet
      state "quiet" as busy_probe_quiet
    }
  }
  state "gone" as gone
  idle --> busy : always [isOurs]
  idle --> idle : after 500 ms / note
  idle --> busy : after retry
  busy --> idle : slot.free [isOurs]
  busy --> busy : slot.free / note
  gone --> [*]
  [*] --> gone : sys.shutdown
  %% anywhere: slot.report / note`);
});

it('draws the supervisor with its named guards', () => {
  const text = mermaidOf(supervisorMachine);
  expect(text).toContain('running --> escalating : child.exited [exceedsIntensity] / giveUp');
  expect(text).toContain('starting --> running : always [allStarted]');
  expect(text).toContain('escalating --> stopped : always [allGone]');
  expect(mermaidOf(supervisorMachine)).toBe(text);
});
