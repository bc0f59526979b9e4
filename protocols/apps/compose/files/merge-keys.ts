/**
 * Where two values of a list mean the same thing, so that the later takes the earlier's place: the key of a port, of
 * a mount, of a variable. The tables say which lists of the Compose schema have such keys, by path.
 */
import { textOf, fieldOf, type ComposeNode } from '../document.ts';
import { resolvePath } from '../values.ts';

/** The key of an item; `undefined` when it has none that could be told, and then it is only added. */
export type KeyOf = (item: ComposeNode) => string | undefined;

const whole: KeyOf = (item) => textOf(item);

/** `[address:][published:]target[/protocol]`, as a whole: another published port is another port. */
const port: KeyOf = (item) => {
  if (item.kind === 'map') {
    const field = (key: string): string | undefined => textOf(fieldOf(item, key));
    return portKey(
      field('host_ip'),
      field('published') ?? '',
      field('target') ?? '',
      field('protocol') ?? 'tcp',
    );
  }
  const text = textOf(item);
  if (text === undefined) return undefined;
  const [numbers = '', protocol = 'tcp'] = text.split('/');
  const parts = numbers.split(':');
  const target = parts.pop() ?? '';
  const published = parts.pop() ?? '';
  return portKey(parts.join(':') || undefined, published, target, protocol);
};

const portKey = (
  address: string | undefined,
  published: string,
  target: string,
  protocol: string,
): string | undefined =>
  target === ''
    ? undefined
    : `${address?.replace(/^\[|\]$/g, '') ?? '0.0.0.0'}:${published}:${target}/${protocol}`;

/** By where it appears in the container. */
const mount: KeyOf = (item) => {
  const text = textOf(item);
  const parts = text?.split(':') ?? [];
  const target = item.kind === 'map' ? textOf(fieldOf(item, 'target')) : (parts[1] ?? parts[0]);
  return target === undefined ? undefined : resolvePath('/', target);
};

/** `/dev/a:/dev/b:rwm`; a CDI name stands for itself. */
const device: KeyOf = (item) => {
  if (item.kind === 'map') return textOf(fieldOf(item, 'target')) ?? textOf(fieldOf(item, 'source'));
  const text = textOf(item);
  return text?.startsWith('/') ? (text.split(':')[1] ?? text) : text;
};

const granted =
  (folder: string): KeyOf =>
  (item) => {
    const name =
      item.kind === 'map'
        ? (textOf(fieldOf(item, 'target')) ?? textOf(fieldOf(item, 'source')))
        : whole(item);
    return name === undefined ? undefined : resolvePath(folder, name);
  };

const pathOf: KeyOf = (item) => (item.kind === 'map' ? textOf(fieldOf(item, 'path')) : whole(item));

/** `services.*` lists whose items replace each other. */
export const keyedLists: Readonly<Record<string, KeyOf>> = {
  ports: port,
  volumes: mount,
  devices: device,
  configs: granted('/'),
  secrets: granted('/run/secrets'),
  env_file: pathOf,
  label_file: pathOf,
  expose: whole,
  dns: whole,
  dns_opt: whole,
  dns_search: whole,
  tmpfs: (item) => textOf(item)?.split(':')[0],
  cap_add: whole,
  cap_drop: whole,
  extra_hosts: whole,
  links: whole,
  external_links: whole,
  profiles: whole,
  security_opt: whole,
  group_add: whole,
  device_cgroup_rules: whole,
  volumes_from: whole,
  'networks.*.aliases': whole,
  'networks.*.link_local_ips': whole,
  'blkio_config.weight_device': pathOf,
  'blkio_config.device_read_bps': pathOf,
  'blkio_config.device_write_bps': pathOf,
  'blkio_config.device_read_iops': pathOf,
  'blkio_config.device_write_iops': pathOf,
  'build.tags': whole,
  'build.platforms': whole,
  'build.secrets': granted('/run/secrets'),
};

/** Written as one text, they mean a list of one. */
export const oneOrMany: ReadonlySet<string> = new Set([
  'dns',
  'dns_search',
  'tmpfs',
  'env_file',
  'label_file',
]);

/** `NAME=value` lists and maps of the same: both become maps. */
export const pairs: ReadonlySet<string> = new Set([
  'environment',
  'labels',
  'annotations',
  'sysctls',
  'storage_opt',
  'deploy.labels',
  'build.args',
  'build.labels',
  'build.additional_contexts',
]);

/** Lists of names that may also be maps; a name alone means this. */
export const named: Readonly<Record<string, 'nothing' | 'started'>> = {
  networks: 'nothing',
  models: 'nothing',
  depends_on: 'started',
};

/** Never mixed: half of one command and half of another is none. */
export const replaced: ReadonlySet<string> = new Set(['command', 'entrypoint', 'healthcheck.test']);
