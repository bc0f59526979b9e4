/**
 * What both volume drivers agree on: which names are folders, where a run's files lie under it, and what stands in
 * them. Text and paths only; who writes them is `directory.ts` and `memory.ts`.
 */
import { coded } from '../../../protocols/errors.ts';
import { limits } from '../../../protocols/limits.ts';
import { everyAnonymous, isAnonymousVolume } from '../../../protocols/storage/anonymous.ts';
import type { RunFiles, VolumeDriver } from '../../../protocols/ports.ts';

export type PrepareRun = Parameters<VolumeDriver['prepareRun']>[0];

/** What the machine itself has: for containers without an address of their own. */
export interface MachineFiles {
  readonly hosts: string;
  readonly resolvConf: string;
}

const namePattern = /^[a-z0-9][a-z0-9_-]*$/;
const runPattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** `shop/db`: the folder of a volume below the folder of volumes. Anything that could lead elsewhere is HM-VOLUME-DRIVER. */
export function volumeFolder(app: string, volume: string): string {
  if (isAnonymousVolume(volume)) return `${appFolder(app)}/${volume}`;
  return `${appFolder(app)}/${checked(volume)}`;
}

export const appFolder = (app: string): string => checked(app);

function checked(name: string): string {
  if (namePattern.test(name) && name.length <= limits.nameChars) return name;
  const text = `${JSON.stringify(name.slice(0, limits.nameChars + 1))} cannot be the name of a volume's folder`;
  throw coded('HM-VOLUME-DRIVER', text, { name }, 'Use lower-case letters, digits, - and _.');
}

/** Which of an app's volumes are to go. Refused as `volumeFolder` has it. */
export function goingVolumes(app: string, volume: string, there: readonly string[]): readonly string[] {
  if (volume === everyAnonymous) return there.filter(isAnonymousVolume);
  volumeFolder(app, volume);
  return there.filter((each) => each === volume);
}

/** `shop%2Fweb.2`: one folder a slot, from which the slot's name can be read back. */
export function slotFolder(slot: string): string {
  const folder = encodeURIComponent(slot);
  if (folder !== '' && !folder.startsWith('.') && folder.length <= 255) return folder;
  throw coded('HM-VOLUME-DRIVER', `${JSON.stringify(slot)} cannot be the name of a slot's folder`, { slot });
}

/** `shop%2Fweb.2/7.3` */
export function runFolder(slot: string, run: string): string {
  if (runPattern.test(run) && run.length <= 64) return `${slotFolder(slot)}/${run}`;
  throw coded('HM-VOLUME-DRIVER', `${JSON.stringify(run)} cannot be the name of a run's folder`, {
    slot,
    run,
  });
}

/** File name → text, for the files that are mounted over /etc. Absent parts leave no line. */
export function etcFiles(args: PrepareRun, machine: MachineFiles): Readonly<Record<string, string>> {
  const own = args.address === undefined ? machine.hosts || loopback : loopback + ownLine(args);
  return {
    hosts: own + extraHosts(args),
    hostname: `${args.hostname}\n`,
    'resolv.conf': resolvConf(args, machine),
  };
}

const loopback = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';

const ownLine = ({ address, hostname, domainname }: PrepareRun): string =>
  `${address}\t${domainname === undefined ? '' : `${hostname}.${domainname} `}${hostname}\n`;

/** `host-gateway` is the node as its containers see it; a container on the node's own network sees it as localhost. */
function extraHosts({ names, nameserver }: PrepareRun): string {
  const gateway = nameserver ?? '127.0.0.1';
  return (names?.extraHosts ?? [])
    .map(({ host, address }) => `${address === 'host-gateway' ? gateway : address}\t${host}\n`)
    .join('');
}

/**
 * With an address of its own a container asks the node, whose names come first; the node forwards what is not in its
 * zone to the container's `dns` servers. Without one it asks them itself.
 */
function resolvConf({ nameserver, search, names = {} }: PrepareRun, machine: MachineFiles): string {
  const { dns = [], dnsSearch = [], dnsOptions = [] } = names;
  const said = dns.length + dnsSearch.length + dnsOptions.length > 0;
  if (nameserver === undefined && !said) return machine.resolvConf;
  const kept = machine.resolvConf.split('\n').filter((line) => line.startsWith('nameserver'));
  const asked = dns.length > 0 ? dns.map((address) => `nameserver ${address}`) : kept;
  // In Docker `.` clears the list; ours is how a service finds its neighbours.
  const domains = [
    ...(search === undefined ? [] : [search]),
    ...dnsSearch.filter((domain) => domain !== '.'),
  ];
  const lines = [
    ...(nameserver === undefined ? asked : [`nameserver ${nameserver}`]),
    ...(domains.length > 0 ? [`search ${domains.join(' ')}`] : []),
    ...(dnsOptions.length > 0 ? [`options ${dnsOptions.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Writable like Docker's: they belong to this run alone, and images exist that add to /etc/hosts. */
export function runFilesIn(folder: string): RunFiles {
  return {
    stdoutPath: `${folder}/stdout`,
    stderrPath: `${folder}/stderr`,
    mounts: ['hosts', 'hostname', 'resolv.conf'].map((file) => ({
      type: 'bind' as const,
      source: `${folder}/${file}`,
      target: `/etc/${file}`,
      readOnly: false,
    })),
  };
}

/** Bind sources are places on the node: an absolute path, or HM-BIND-MISSING. */
export function checkSource(source: string): void {
  if (source.startsWith('/') && !source.includes('\0')) return;
  throw coded(
    'HM-BIND-MISSING',
    `${JSON.stringify(source)} is no absolute path`,
    { source },
    'Write the whole path.',
  );
}
