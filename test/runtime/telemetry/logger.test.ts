/** The daemon's log: one JSON object a line, levels kept, no token in it. */
import { expect, test } from 'vitest';
import { reason } from '../../../protocols/errors.ts';
import { createLogger, logEvent, type LogLevel } from '../../../runtime/telemetry/logger.ts';

function recorded(level: LogLevel = 'info') {
  const lines: string[] = [];
  const logger = createLogger({ level, node: 'n1', destination: { write: (line) => void lines.push(line) } });
  return { logger, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

test('an event becomes a line of its level with its code and hint', () => {
  const { logger, entries } = recorded();
  const because = reason('HM-DISK-FULL');
  logEvent(logger, {
    boot: 1,
    seq: 3,
    at: 0,
    type: 'slot.failed',
    subject: 'shop/web.1',
    level: 'warning',
    message: 'cannot start',
    reason: because,
  });
  expect(entries()).toMatchObject([
    {
      level: 'warn',
      node: 'n1',
      event: 'slot.failed',
      subject: 'shop/web.1',
      seq: 3,
      code: 'HM-DISK-FULL',
      hint: because.hint,
      msg: 'cannot start',
    },
  ]);
});

test('what is below the level is not written', () => {
  const { logger, entries } = recorded('warn');
  logger.info('quiet');
  logger.error('loud');
  expect(entries().map(({ msg }) => msg)).toEqual(['loud']);
});

test('a token never reaches the log', () => {
  const { logger, entries } = recorded();
  logger.info({ token: 'tell-nobody', headers: { authorization: 'Bearer tell-nobody' } }, 'request');
  expect(JSON.stringify(entries())).not.toContain('tell-nobody');
});
