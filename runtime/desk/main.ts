/**
 * `npm run cluster -- …`: a cluster on this desk, from the command line. Standard output is what was asked for, standard
 * error is progress and refusals.
 */
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { coded, reasonOf } from '../../protocols/errors.ts';
import { nearest } from '../../protocols/suggest.ts';
import { readEnvironment } from '../config/environment.ts';
import { exitCodeOf, exitCodes } from '../cli/failure.ts';
import {
  bringDown,
  bringUp,
  crash,
  cut,
  freeze,
  heal,
  kill,
  move,
  nodesUp,
  start,
  stop,
  thaw,
  wipe,
} from './desk.ts';
import { losePackets } from './faults.ts';
import { deskCalled, nodesNamed, usualTag, type DeskName } from './names.ts';
import { requireRecord } from './record.ts';
import { statusOf } from './status.ts';

const usage = `npm run cluster -- 3 [--runtime containerd|process]   three nodes: n1, n2, n3
npm run cluster -- hello                   the hello app on it: images are built and brought, no registry
npm run cluster -- cut n1 n2 [--one-way]   nothing passes between them (n1,n2 n3 between groups)
npm run cluster -- lose 10%                so many packets between all nodes are lost; 0% ends it
npm run cluster -- crash n3                kill -9 of the daemon; its containers run on
npm run cluster -- kill n3                 as without power: containers too, at once
npm run cluster -- freeze n3 | thaw n3     SIGSTOP and SIGCONT of all of it
npm run cluster -- stop n3 | start n3      SIGTERM of the daemon; any node that does not run
npm run cluster -- wipe n3 | move n3       its disk is lost (when it does not run); another address
npm run cluster -- heal                    no fault is left: links, frozen and ended nodes
npm run cluster -- status | logs n2        what is so now; the log of a daemon
npm run cluster -- down                    everything away, also after a killed command
--desk NAME                                another desk beside it: each command is about that one`;

let desk: DeskName = deskCalled(usualTag);
const environment = readEnvironment();
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const progress = (line: string): void => void process.stderr.write(`${line}\n`);
/** With the line of the command that was meant, where there is one. */
const misused = (message: string, command = ''): Error => {
  const line = usage.split('\n').find((one) => command !== '' && one.includes(`-- ${command} `));
  return coded('HM-CLI-USAGE', message, {}, line?.replace(/ {2,}.*/, '') ?? 'npm run cluster -- --help');
};

interface Command {
  /** How many words follow. */
  readonly words: number;
  readonly run: (words: readonly string[], options: Options) => Promise<void>;
}

interface Options {
  readonly 'one-way'?: boolean;
  readonly runtime?: string;
  readonly desk?: string;
  readonly help?: boolean;
}

/** Of several nodes at once, `n1,n2`. */
const toNodes = (act: (names: string) => Promise<unknown>, done: string): Command => ({
  words: 1,
  run: async ([names]) => {
    await act(names!);
    say(`${names}: ${done}`);
  },
});

const commands: Readonly<Record<string, Command>> = {
  cut: {
    words: 2,
    run: async ([from, to], { 'one-way': oneWay = false }) => {
      await cut(desk, from!, to!, oneWay);
      say(oneWay ? `${from} reaches ${to} no more` : `${from} and ${to} reach each other no more`);
    },
  },
  lose: { words: 1, run: ([share]) => lose(share!) },
  crash: toNodes((names) => crash(desk, names), 'the daemon is dead, its containers run on'),
  kill: toNodes((names) => kill(desk, names), 'dead with everything in it'),
  freeze: toNodes((names) => freeze(desk, names), 'frozen'),
  thaw: toNodes((names) => thaw(desk, names), 'runs on'),
  stop: toNodes((names) => stop(desk, names), 'stopped; its containers run on'),
  wipe: toNodes((names) => wipe(desk, names), 'its disk is empty'),
  move: toNodes((name) => move(desk, name), 'ready at another address'),
  start: toNodes((names) => start(desk, names), 'ready'),
  heal: {
    words: 0,
    run: async () => {
      const started = await heal(desk);
      say(`no fault is left${started.length > 0 ? `; started: ${started.join(', ')}` : ''}`);
    },
  },
  status: { words: 0, run: () => printStatus() },
  logs: { words: 1, run: ([name]) => printLog(name!) },
  down: {
    words: 0,
    run: async () => {
      const wasThere = await bringDown(desk, environment, progress);
      say(wasThere ? 'nothing is left of the desk' : 'no desk is up');
    },
  },
};

async function main(args: readonly string[]): Promise<void> {
  const { values, positionals } = parse(args);
  const [name, ...words] = positionals;
  if (values.help || name === undefined) return say(usage);
  if (values.desk !== undefined) desk = deskCalled(values.desk);
  if (/^\d+$/.test(name)) return words.length > 0 ? refuse(words) : up(Number(name), values.runtime);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const near = nearest(name, Object.keys(commands));
    throw misused(`"${name}" is no command${near === undefined ? '' : `; did you mean ${near}?`}`);
  }
  if (words.length !== command.words)
    throw misused(`${name} takes ${command.words} words, not ${words.length}`, name);
  await command.run(words, values);
}

function refuse(words: readonly string[]): never {
  throw misused(`"${words.join(' ')}" is not understood`);
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'one-way': { type: 'boolean' },
        runtime: { type: 'string' },
        desk: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (thrown) {
    throw misused((thrown as Error).message);
  }
}

async function up(count: number, runtime = 'containerd'): Promise<void> {
  if (runtime !== 'containerd' && runtime !== 'process')
    throw misused(`--runtime is containerd or process, not ${runtime}`);
  process.once('SIGINT', () => {
    progress('interrupted; npm run cluster -- down removes what was made so far');
    process.exit(exitCodes.interrupted);
  });
  await bringUp(desk, { count, runtime, environment, progress });
  await printStatus();
  const [first, second] = await nodesUp(desk);
  say('');
  say(`npx hivemind node ls            asks ${first!.name}`);
  if (second) say(`npx hivemind node ls --context ${second.name}    asks another`);
  say('npm run cluster -- down         removes everything');
}

async function lose(share: string): Promise<void> {
  const percent = /^(\d{1,3}(?:\.\d{1,2})?)%?$/.exec(share)?.[1];
  if (percent === undefined || Number(percent) > 100)
    throw misused(`lose takes a share as 10% or 0.5%, not ${share}`, 'lose');
  await requireRecord(desk);
  await losePackets(desk, Number(percent));
  say(
    Number(percent) === 0 ? 'no packet is lost' : `${percent} of 100 packets between any two nodes are lost`,
  );
}

async function printStatus(): Promise<void> {
  const { nodes, faults } = await statusOf(desk);
  const width = Math.max(...nodes.map(({ name }) => name.length), 'NODE'.length) + 2;
  say(`${'NODE'.padEnd(width)}ADDRESS         STATE     PID      RSS    IN CONTAINERS`);
  for (const { name, address, state, pid, rssMb, processes } of nodes) {
    const daemon = `${String(pid ?? '-').padEnd(9)}${rssMb === undefined ? '-' : `${rssMb} MB`}`;
    say(`${name.padEnd(width)}${address.padEnd(16)}${state.padEnd(10)}${daemon.padEnd(16)}${processes}`);
  }
  for (const { from, to, dropped } of faults.cuts) say(`cut    ${from} → ${to}, ${dropped} packets dropped`);
  if (faults.loss) say(`lose   ${faults.loss.percent}%, ${faults.loss.dropped} packets so far`);
}

async function printLog(name: string): Promise<void> {
  const [node] = nodesNamed(await nodesUp(desk), name);
  const text = createReadStream(node!.logPath);
  text.pipe(process.stdout, { end: false });
  await once(text, 'close');
}

process.stdout.on('error', () => process.exit(0));
main(process.argv.slice(2)).catch((thrown: unknown) => {
  const { message, hint, code } = reasonOf(thrown);
  progress(`✗ ${message}  ${code}`);
  progress(`  next  ${hint}`);
  process.exitCode = exitCodeOf(reasonOf(thrown));
});
