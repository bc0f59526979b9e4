/**
 * One project a kind of test, so that each can be run by itself. A file runs beside as many others as there are
 * processors (Vitest by itself would leave one idle). Conformance and end-to-end tests too: each file has a node of its
 * own, whose bridge, tables, addresses, cgroups and containerd nobody else has. More than a few of those at a time would
 * wait for the disk.
 */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const processors = availableParallelism();
const real = { maxWorkers: Math.min(processors, 4) };

const kind = (name: string, include: string[], options: object = {}) => ({
  extends: true as const,
  test: { name, include, ...options },
});

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: processors,
    // XState warns about wrong machines only under this condition.
    execArgv: ['--conditions=development'],
    // Bounds of a machine that others keep busy.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 20_000,
    projects: [
      kind('tidy', ['test/tidy/**/*.test.ts'], { sequence: { groupOrder: 0 } }),
      // Pure: files may share a process, and load what they test once.
      kind('unit', ['test/{protocols,transport,actors,supervisors}/**/*.test.ts'], {
        isolate: false,
        sequence: { groupOrder: 1 },
      }),
      kind('runtime', ['test/runtime/**/*.test.ts'], { sequence: { groupOrder: 2 } }),
      kind('simulation', ['test/simulation/**/*.test.ts'], {
        testTimeout: 600_000,
        sequence: { groupOrder: 2 },
      }),
      kind('conformance', ['test/conformance/**/*.test.ts'], {
        ...real,
        testTimeout: 120_000,
        sequence: { groupOrder: 3 },
      }),
      kind('e2e', ['test/e2e/**/*.test.ts'], {
        ...real,
        testTimeout: 180_000,
        sequence: { groupOrder: 3 },
      }),
    ],
  },
});
