/**
 * What every command gets: streams, time, environment, the interrupt, and a door to the API that opens when it
 * is first used. Commands return an exit code; what they throw becomes a printed reason and an exit code.
 */
import type { Readable, Writable } from 'node:stream';
import { coded } from '../../protocols/errors.ts';
import type { Clock } from '../../protocols/ports.ts';
import type { Environment } from '../config/environment.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { ApiClient } from './connection/client.ts';

export interface OutputStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

export interface InputStream extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(raw: boolean): unknown;
}

/** Everything of the process that the CLI may touch. */
export interface CliProcess {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: Environment;
  readonly directory: string;
  readonly clock: Clock;
  readonly version: string;
  /** Where sockets of local nodes may be. */
  readonly socketDirectories: readonly string[];
  /** Removes what a node made on this machine: the one thing that is done here and not by the API, because no node runs then. */
  readonly purge: (config: NodeConfig, progress: (line: string) => void) => Promise<void>;
  /** Shows a page to the person at this machine; nothing happens where there is no desktop. */
  readonly openInBrowser: (url: string) => Promise<void>;
  /** Fires at Ctrl-C; the reason is not used. */
  readonly interrupted: AbortSignal;
}

/** Options that every command takes. */
export interface CommonOptions {
  readonly address?: string;
  readonly tokenFile?: string;
  readonly context?: string;
  readonly color?: boolean;
  readonly output?: string;
  readonly json?: string;
  readonly watch?: boolean;
}

export class Cli {
  readonly process: CliProcess;
  #options: CommonOptions = {};
  #client: Promise<ApiClient> | undefined;
  #opened: ApiClient | undefined;
  /** Set by the command that ran. */
  exitCode = 0;

  constructor(process: CliProcess) {
    this.process = process;
  }

  /** Called with a command's options before it runs. */
  begin(options: CommonOptions): void {
    this.#options = options;
  }

  get options(): CommonOptions {
    return this.#options;
  }

  /** Whether errors are wanted as JSON. */
  get wantsJson(): boolean {
    const { output, json } = this.#options;
    return json !== undefined || output === 'json' || output === 'jsonl';
  }

  /** Colours only for people: no pipe, no NO_COLOR, no dumb terminal. */
  colored(stream: OutputStream): boolean {
    const { NO_COLOR, TERM } = this.process.environment;
    return stream.isTTY === true && !NO_COLOR && TERM !== 'dumb' && this.#options.color !== false;
  }

  /** Data. */
  print(text: string): void {
    this.process.stdout.write(`${text}\n`);
  }

  /** Progress and messages. */
  say(text: string): void {
    this.process.stderr.write(`${text}\n`);
  }

  async client(): Promise<ApiClient> {
    const onGap = (lines: number | undefined): void => this.say(`-- ${lines ?? 'some'} lines are left out`);
    this.#client ??= import('./connection/open.ts').then(async ({ openClient }) => {
      this.#opened = await openClient(this.process, this.#options, onGap);
      return this.#opened;
    });
    return this.#client;
  }

  /** The node's time once it has answered: ages and `5m ago` are about what the node dated. */
  now(): number {
    return this.process.clock.now() + (this.#opened?.skewMs ?? 0);
  }

  /** Resolves after a pause, or at once when interrupted. */
  pause(ms: number): Promise<void> {
    const { clock, interrupted } = this.process;
    if (interrupted.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clock.clearTimer(timer);
        interrupted.removeEventListener('abort', end);
        resolve();
      };
      const timer = clock.setTimer(ms, end);
      interrupted.addEventListener('abort', end);
    });
  }

  /** Lets go of connections, so that the process can end. */
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }
}

export const usage = (message: string, hint?: string): Error => coded('HM-CLI-USAGE', message, {}, hint);
