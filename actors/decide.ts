/**
 * The bridge between a chart and its decisions. A room's steps live in `protocols` as plain functions
 * `(value, event) → [value, effects]`; `deciding` turns them into named actions that assign the value and hand
 * all effects to one `perform`. So a machine's file holds only the chart.
 */
import type { AnyMachineSnapshot } from 'xstate';
import type { Decision, Effect } from '../protocols/effects.ts';

// Steps narrow the event themselves: the chart says which event reaches which step.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Step<Value> = (value: Value, event: any) => Decision<Value>;

/** Every machine's one impure action. The kernel supplies it; without the kernel it refuses to pretend. */
export function perform(_: unknown, params: { readonly effects: readonly Effect[] }): void {
  throw new Error(
    `perform is not supplied: ${params.effects.length} effects would be lost. Run the machine under the kernel.`,
  );
}

/** The steps as actions, under their own names. Context must be the steps' value. */
export function deciding<Value extends object, Steps extends Record<string, Step<Value>>>(steps: Steps) {
  const actions: Record<string, unknown> = {};
  for (const [name, step] of Object.entries(steps)) actions[name] = asAction(step);
  // XState resolves them as it does its own; to the type checker a plain action is enough.
  return actions as { [Name in keyof Steps]: () => void };
}

/**
 * An action as XState makes its own (`assign`, `enqueueActions`): what it answers is the next snapshot and the actions
 * that follow. Of those two together a step took four times as long (measured): each assignment works out phase and tags
 * anew, which a step cannot change.
 */
function asAction<Value>(step: Step<Value>): unknown {
  const action = () => {};
  action.type = 'deciding';
  action.resolve = (
    _scope: unknown,
    snapshot: AnyMachineSnapshot,
    { event }: { readonly event: unknown },
  ) => {
    const before = snapshot.context as Value;
    const [value, effects] = step(before, event);
    const next = value === before ? snapshot : { ...snapshot, context: value };
    return [next, undefined, effects.length > 0 ? [{ type: 'perform', params: { effects } }] : undefined];
  };
  return action;
}

/** Guards the same way: plain questions about value and event. */
export function guarding<
  Value extends object,
  Guards extends Record<string, (value: Value, event: never) => boolean>,
>(guards: Guards) {
  const named: Record<string, unknown> = {};
  for (const [name, guard] of Object.entries(guards)) {
    named[name] = ({ context, event }: { context: Value; event: unknown }) => guard(context, event as never);
  }
  return named as { [Name in keyof Guards]: (args: { context: Value; event: unknown }) => boolean };
}
