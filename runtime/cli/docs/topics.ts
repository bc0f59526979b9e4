/** What `hivemind docs` can explain: each topic is made from the code that it is about, so that it cannot be out of date. */
import type { Command } from 'commander';
import { catalogue, type ErrorCode } from '../../../protocols/errors.ts';
import { codesTable } from '../failure.ts';
import { manPage } from './man.ts';

export interface Topic {
  readonly about: string;
  text(program: Command, version: string): string | Promise<string>;
}

export const topics: Readonly<Record<string, Topic>> = {
  compose: {
    about: 'every key of a Compose file: supported, with a warning, refused, or for a cluster',
    text: async () => (await import('./compose.ts')).composeText(),
  },
  errors: {
    about: 'every error code: its cause and the next step',
    text: () =>
      Object.keys(catalogue)
        .sort()
        .map((code) => errorText(code as ErrorCode))
        .join('\n\n'),
  },
  'exit-codes': { about: 'what the exit codes mean', text: () => codesTable() },
  settings: {
    about: 'settings of hivemind-node: flags, variables, file',
    text: async () => (await import('../../config/node-config.ts')).nodeHelp(),
  },
  man: { about: 'this manual as a page for man(1)', text: manPage },
};

/** `HM-PORT-TAKEN` with cause and next step. */
export function errorText(code: ErrorCode): string {
  const { cause, next, status } = catalogue[code];
  return `${code}  (HTTP ${status})\n  ${cause}\n  next  ${next}`;
}
