/** What both drivers of granted files agree on: whose value a file holds, and where in a run's folder it stands. */
import { posix } from 'node:path';
import type { FileGrant } from '../../../protocols/apps/service-model.ts';
import { coded } from '../../../protocols/errors.ts';
import type { Call, ContainerRuntime, GrantFiles, GrantRequest, Ports } from '../../../protocols/ports.ts';
import type { SealedValue } from '../../../protocols/security/model.ts';
import { keys } from '../../../protocols/state/keys.ts';

/** A file as it is to be. `path` is relative to the run's folder. */
export interface PlannedFile {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly content: Uint8Array;
  /** Says whether the content is another one without holding it. */
  readonly mark: string;
}

export interface Plan {
  readonly files: readonly PlannedFile[];
  /** Path in the run's folder → place in the container. */
  readonly mounts: readonly { readonly path: string; readonly target: string }[];
}

export type Unseal = (grant: FileGrant, call: Call) => Promise<Uint8Array>;

/** From the store through the secret box: the one place where a value comes out. */
export function unsealFrom({ store, secrets }: Pick<Ports, 'store' | 'secrets'>): Unseal {
  return async ({ held, kind, source }, call) => {
    const sealed = held && (await store.get({ key: keys.sealed(held.name, held.version) }, call)).kv?.value;
    if (!held || !sealed)
      throw coded(
        'HM-SECRET-UNKNOWN',
        `there is no value for the ${kind} ${source}`,
        { source },
        `hivemind secret ls; or deploy the app again from its file`,
      );
    const { content } = await secrets.open({ ...held, sealed: sealed as SealedValue }, call);
    return Buffer.from(content, 'base64');
  };
}

/** Mounted whole, so that its files can be replaced by rename: a container sees the old or the new one, never a mixture. */
const wholeFolder = '/run/secrets';

export async function planOf({ files, owner }: GrantRequest, unseal: Unseal, call: Call): Promise<Plan> {
  const planned: PlannedFile[] = [];
  const mounts = new Map<string, string>();
  for (const [at, grant] of files.entries()) {
    const target = posix.normalize(grant.target).replace(/\/$/, '');
    if (!target.startsWith('/') || target.length < 2 || target.includes('\0'))
      throw coded('HM-CONTAINER-CREATE', `${JSON.stringify(grant.target)} is no place for a file`);
    const within = target.startsWith(`${wholeFolder}/`);
    const path = within ? `whole/${target.slice(wholeFolder.length + 1)}` : `single/${at}`;
    if (within) mounts.set(wholeFolder, 'whole');
    else mounts.set(target, path);
    planned.push({
      path,
      uid: grant.uid ?? owner.uid,
      gid: grant.gid ?? owner.gid,
      mode: grant.mode ?? 0o400,
      content: await unseal(grant, call),
      mark: `${grant.held?.name}/${grant.held?.version}`,
    });
  }
  return { files: planned, mounts: [...mounts].map(([target, path]) => ({ path, target })) };
}

/** The runtime of containers whose files go with them. Every list shows which files have outlived their container. */
export function withGrants<Runtime extends ContainerRuntime>(runtime: Runtime, grants: GrantFiles): Runtime {
  const own: Pick<ContainerRuntime, 'remove' | 'list'> = {
    remove: async (args, call) => {
      await runtime.remove(args, call);
      await grants.remove({ id: args.id }, call);
      return {};
    },
    list: async (args, call) => {
      const answer = await runtime.list(args, call);
      // The next list tries again; nothing waits for it.
      await grants.sweep({ keep: answer.containers.map(({ id }) => id) }, call).catch(() => undefined);
      return answer;
    },
  };
  return new Proxy(runtime, {
    get: (target, op) => {
      if (op === 'remove' || op === 'list') return own[op];
      const member = Reflect.get(target, op) as unknown;
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });
}
