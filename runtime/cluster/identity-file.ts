/**
 * A node's identity: its key, in a file of mode 0600. Made once; everything else that a node is in the cluster
 * (certificate, credential) can be had again for it.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import type { NodeId } from '../../protocols/membership/model.ts';
import type { Random } from '../../protocols/ports.ts';
import { nodeIdOf } from '../../transport/secure/credentials.ts';
import { refusedFile, type ClusterFiles } from './secret-file.ts';
import { privateKeyOf } from './certificates/x509-crypto.ts';

export interface NodeIdentity {
  readonly id: NodeId;
  /** Private, Ed25519. */
  readonly key: KeyObject;
}

const format = 'hivemind-node-key/1';
/** The id is that of the key: a damaged key is often still a key, and would be another node. */
const form = z.strictObject({ format: z.literal(format), id: z.string(), key: z.base64() });

/** The identity in the file, made when there is none. HM-CLUSTER-KEY when it is damaged or others may read it. */
export async function ensureIdentity(
  files: ClusterFiles,
  random: Random,
  path: string,
): Promise<NodeIdentity> {
  const text = await files.readSecret(path);
  if (text !== undefined) return parse(path, text);
  const key = privateKeyOf(random.hex(32));
  const id = nodeIdOf(createPublicKey(key));
  const der = key.export({ format: 'der', type: 'pkcs8' }).toString('base64');
  await files.writeSecret(path, JSON.stringify({ format, id, key: der }));
  return { id, key };
}

function parse(path: string, text: string): NodeIdentity {
  try {
    const { id, key: der } = form.parse(JSON.parse(text));
    const key = createPrivateKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'pkcs8' });
    if (key.asymmetricKeyType === 'ed25519' && nodeIdOf(createPublicKey(key)) === id) return { id, key };
  } catch {
    // Said below, without quoting any of it.
  }
  throw refusedFile(path, 'is damaged');
}
