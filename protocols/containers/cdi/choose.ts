/**
 * Which devices of a machine a service gets for its `gpus:`. Nothing is kept for one service alone: two that ask for
 * one device each get the same first one, as with Docker.
 */
import type { GpuRequest } from '../../apps/service-model.ts';
import { coded, type CodedError } from '../../errors.ts';
import { joined, type CdiEdits, type CdiFile } from './document.ts';

/** What the CDI files of a machine say. Files that come later go before earlier ones. */
export interface CdiStock {
  readonly folders: readonly string[];
  readonly files: readonly CdiFile[];
  readonly ignored: readonly string[];
}

interface Device {
  readonly file: CdiFile;
  readonly name: string;
  readonly edits: CdiEdits;
}
type Choice = { readonly devices: readonly Device[] } | { readonly why: string };

/** For people: `nvidia.com/gpu (0, 1, all)`, and what is left out; nothing where there are no CDI files. */
export function stockInWords({ files, ignored }: CdiStock): string | undefined {
  const kinds = [...new Set(files.map(({ kind }) => kind))].map((kind) => {
    const names = files.filter((file) => file.kind === kind).flatMap(({ devices }) => devices);
    return `${kind} (${[...new Set(names.map(({ name }) => name))].join(', ')})`;
  });
  const words = [...kinds, ...ignored.map((why) => `left out: ${why}`)];
  return words.length === 0 ? undefined : words.join('; ');
}

/** Why this machine cannot give it: HM-CONTAINER-SETTING, with what was looked for and where. */
export function gpuRefusal(requests: readonly GpuRequest[], stock: CdiStock): CodedError | undefined {
  const chosen = chooseGpus(requests, stock);
  return 'why' in chosen ? refused(chosen.why) : undefined;
}

/** What their files do to the container, each file's own edits once. Throws what `gpuRefusal` gives. */
export function gpuEdits(requests: readonly GpuRequest[], stock: CdiStock): CdiEdits {
  const chosen = chooseGpus(requests, stock);
  if ('why' in chosen) throw refused(chosen.why);
  const files = new Set(chosen.devices.map(({ file }) => file));
  return joined([...[...files].map(({ edits }) => edits), ...chosen.devices.map(({ edits }) => edits)]);
}

function refused(why: string): CodedError {
  return coded(
    'HM-CONTAINER-SETTING',
    `gpus: ${why}`,
    { key: 'gpus' },
    "Install the vendor's container toolkit and have it describe its devices; NVIDIA's: nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml",
  );
}

function chooseGpus(requests: readonly GpuRequest[], stock: CdiStock): Choice {
  const devices = new Map<string, Device>();
  for (const request of requests) {
    const choice = request.driver === 'cdi' ? qualified(request, stock) : ofOneKind(request, stock);
    if ('why' in choice) return choice;
    for (const device of choice.devices) devices.set(`${device.file.kind}=${device.name}`, device);
  }
  return { devices: [...devices.values()] };
}

/** The ids of the driver `cdi` name the kind too: `nvidia.com/gpu=0`. */
function qualified({ ids = [] }: GpuRequest, stock: CdiStock): Choice {
  const devices: Device[] = [];
  for (const id of ids) {
    const [kind = '', name = ''] = id.split('=');
    const found = devicesOf(kind, stock).get(name);
    if (!found) return { why: `${id} is not described ${where(stock)}` };
    devices.push(found);
  }
  return { devices };
}

function ofOneKind({ driver, count, ids }: GpuRequest, stock: CdiStock): Choice {
  const kinds = new Set(stock.files.map((file) => file.kind).filter((kind) => isOf(kind, driver)));
  const kind = kinds.has('nvidia.com/gpu') ? 'nvidia.com/gpu' : [...kinds][0];
  const known = devicesOf(kind ?? '', stock);
  if (kind === undefined || known.size === 0)
    return { why: `no device of ${wordsOf(driver)} is described ${where(stock)}` };
  if (ids === undefined) return counted(kind, known, count, stock);
  const devices = ids.flatMap((id) => known.get(id) ?? []);
  const lacking = ids.find((id) => !known.has(id));
  if (lacking === undefined) return { devices };
  return { why: `${kind} has no device ${lacking} ${where(stock)}, only ${[...known.keys()].join(', ')}` };
}

function counted(
  kind: string,
  known: ReadonlyMap<string, Device>,
  count: number | undefined,
  stock: CdiStock,
): Choice {
  const whole = known.get('all');
  if (count === undefined && whole) return { devices: [whole] };
  const names = [...known.keys()].filter((name) => name !== 'all');
  // A device often has two names, its number and its identity: by number each stands once.
  const numbers = names.filter((name) => /^\d+(:\d+)?$/.test(name));
  const each = (numbers.length > 0 ? numbers : names).toSorted((a, b) =>
    a.localeCompare(b, 'en', { numeric: true }),
  );
  if (each.length < (count ?? 1))
    return { why: `${count ?? 1} of ${kind} are wanted, and ${each.length} described ${where(stock)}` };
  return { devices: each.slice(0, count).map((name) => known.get(name)!) };
}

function isOf(kind: string, driver: string | undefined): boolean {
  const [vendor = '', type] = kind.split('/');
  if (type !== 'gpu') return false;
  return driver === undefined || vendor === driver || vendor.startsWith(`${driver}.`);
}

const wordsOf = (driver: string | undefined): string =>
  driver === undefined ? 'nvidia.com/gpu, or of another kind …/gpu,' : `${driver}.com/gpu`;

function devicesOf(kind: string, { files }: CdiStock): ReadonlyMap<string, Device> {
  const fit = files.filter((file) => file.kind === kind);
  return new Map(
    fit.flatMap((file) => file.devices.map(({ name, edits }) => [name, { file, name, edits }] as const)),
  );
}

function where({ folders, ignored }: CdiStock): string {
  const places = `in the CDI files of ${folders.join(' and ')}`;
  return ignored.length === 0 ? places : `${places} (left out: ${ignored.join('; ')})`;
}
