/**
 * The daemon's own log: JSON lines on standard error, for journald or a file. Standard error, because standard
 * output belongs to what a person asked for. No pino transports: their worker files do not survive bundling.
 */
import { pino, stdTimeFunctions, type DestinationStream, type Logger } from 'pino';
import type { LoggedEvent } from '../node-handle.ts';

export type { Logger };

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly node: string;
  readonly destination?: DestinationStream;
}

/** Written at once: the last line before a crash is the one that is needed. */
export function createLogger({ level, node, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { node },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['token', '*.token', 'authorization', '*.authorization'], censor: '[hidden]' },
    },
    destination ?? pino.destination({ dest: 2, sync: true }),
  );
}

/** An entry of the event log as a log line, so that both say the same. */
export function logEvent(logger: Logger, event: LoggedEvent): void {
  const { type, subject, message, level, reason, details, seq } = event;
  const fields = {
    event: type,
    subject,
    seq,
    ...(reason ? { code: reason.code, hint: reason.hint } : {}),
    ...(details ? { details } : {}),
  };
  logger[level === 'warning' ? 'warn' : level](fields, message);
}
