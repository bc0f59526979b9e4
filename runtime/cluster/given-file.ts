/**
 * What the cluster gave this node, and where it is found: kept so that a restart needs neither token nor server. Beside the
 * node's key, and as secret.
 */
import { createPublicKey, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { issued, joinAnswer } from '../../protocols/cluster/join.ts';
import { limits } from '../../protocols/limits.ts';
import type { NodeIdentity } from './identity-file.ts';
import { refusedFile, type ClusterFiles } from './secret-file.ts';

const format = 'hivemind-cluster/1';
const { address } = joinAnswer.shape.server.shape;

const form = z.strictObject({
  format: z.literal(format),
  label: joinAnswer.shape.label,
  name: joinAnswer.shape.server.shape.name,
  role: z.enum(['server', 'agent']),
  /** Where this node said it is. */
  address,
  zone: z.string(),
  issued,
  /** Whose store it is: its own at a server. */
  server: joinAnswer.shape.server,
  /** Where members were when it was written. */
  seeds: z.array(address).max(limits.clusterSeeds),
  /** By which join token it came, its id; of an agent. */
  token: z.exactOptional(z.string().max(64)),
  /** Another node has its name: the server's words. What was given opens nothing any more. */
  nameLost: z.exactOptional(z.string()),
});

export type Given = Omit<z.output<typeof form>, 'format'>;

/** `undefined` when there is none. HM-CLUSTER-KEY when it is damaged, or not for this node's key. */
export async function readGiven(
  files: ClusterFiles,
  path: string,
  identity: NodeIdentity,
): Promise<Given | undefined> {
  const text = await files.readSecret(path);
  if (text === undefined) return undefined;
  const given = parsed(text);
  if (!given) throw refusedFile(path, 'is damaged');
  const { format: _format, ...rest } = given;
  const certificate = certificateIn(rest);
  if (!certificate?.publicKey.equals(createPublicKey(identity.key)))
    throw refusedFile(path, "is not for this node's key");
  return rest;
}

export function writeGiven(files: ClusterFiles, path: string, given: Given): Promise<void> {
  return files.writeSecret(path, JSON.stringify({ format, ...given }));
}

function parsed(text: string): z.output<typeof form> | undefined {
  try {
    return form.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function certificateIn({ issued: { certificate } }: Given): X509Certificate | undefined {
  try {
    return new X509Certificate(certificate);
  } catch {
    return undefined;
  }
}
