/**
 * One project a kind of test, so that each can be run by itself. Conformance and end-to-end tests share the machine
 * (bridges, nftables, containerd), so their files run one after the other; the others run side by side.
 */
import { defineConfig } from 'vitest/config';

const alone = { fileParallelism: false, maxWorkers: 1 } as const;

const kind = (name: string, include: string[], options: object = {}) => ({
  extends: true as const,
  test: { name, include, ...options },
});

export default defineConfig({
  test: {
    pool: 'forks',
    // XState warns about wrong machines only under this condition.
    execArgv: ['--conditions=development'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    projects: [
      kind('tidy', ['test/tidy/**/*.test.ts'], { sequence: { groupOrder: 0 } }),
      kind('unit', ['test/{protocols,transport,actors,supervisors,runtime}/**/*.test.ts'], {
        sequence: { groupOrder: 0 },
      }),
      kind('simulation', ['test/simulation/**/*.test.ts'], {
        testTimeout: 300_000,
        sequence: { groupOrder: 1 },
      }),
      kind('conformance', ['test/conformance/**/*.test.ts'], {
        ...alone,
        testTimeout: 60_000,
        sequence: { groupOrder: 2 },
      }),
      kind('e2e', ['test/e2e/**/*.test.ts'], {
        ...alone,
        testTimeout: 180_000,
        sequence: { groupOrder: 3 },
      }),
    ],
  },
});
