/** Waiting for a condition in real time, with a deadline. For tests that meet real processes and sockets; virtual time has `HeapClock.advance`. */

/**
 * Resolves with the first truthy answer of `condition`; rejects after `withinMs`, saying what was waited for. The bound is
 * that of a machine on which ten others work: nobody waits longer than needed.
 */
export async function until<Value>(
  what: string,
  condition: () => Value | Promise<Value>,
  withinMs = 30_000,
): Promise<NonNullable<Value>> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer as NonNullable<Value>;
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
