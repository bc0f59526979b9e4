/**
 * The secret box of a node that has no key of its own: its server opens what is placed here, and answers over the
 * connection that both ends proved. Everything else of a box is the server's.
 */
import { coded } from '../../protocols/errors.ts';
import { limits } from '../../protocols/limits.ts';
import type { SecretBox } from '../../protocols/ports.ts';
import type { Calls, Peer } from '../../protocols/wire/calls.ts';

export function createRemoteSecrets(calls: Calls, server: () => Peer): SecretBox {
  const elsewhere = (): Promise<never> =>
    Promise.reject(coded('HM-CLUSTER-AGENT', 'secrets are sealed at the server'));
  return {
    status: () => Promise.resolve({}),
    open: async ({ name, version }, { signal }) => {
      const options = { timeoutMs: limits.writeMs, signal };
      const answer = await calls.call(server(), 'secret.open', { name, version }, options);
      const { content } = (answer ?? {}) as { readonly content?: unknown };
      if (typeof content !== 'string') throw coded('HM-SECRET-DAMAGED', 'the server answered no value');
      return { content };
    },
    digest: elsewhere,
    seal: elsewhere,
    rewrap: elsewhere,
    renewKey: elsewhere,
  };
}
