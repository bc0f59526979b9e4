/** The CLI's contexts of a desk: one a node, by its name, and the first is in use while the desk is up. */
import { coded } from '../../protocols/errors.ts';
import { readContexts, writeContexts, type Contexts } from '../cli/connection/contexts.ts';
import type { Environment } from '../config/environment.ts';
import { usualTag, type DeskName, type DeskNode } from './names.ts';

const addressOf = ({ socketPath }: DeskNode): string => `unix://${socketPath}`;
const startOf = ({ tag }: DeskName, { name }: DeskNode): string =>
  `npm run cluster -- start ${name}${tag === usualTag ? '' : ` --desk ${tag}`}, or heal`;
const isOf = ({ folder }: DeskName, address: string): boolean => address.startsWith(`unix://${folder}/`);

/** HM-DESK-STATE when a node's name is already that of another cluster. */
export async function assertNamesFree(
  environment: Environment,
  desk: DeskName,
  nodes: readonly DeskNode[],
): Promise<Contexts> {
  const known = await readContexts({ environment });
  const taken = nodes.find(
    ({ name }) => name in known.contexts && !isOf(desk, known.contexts[name]!.address),
  );
  if (!taken) return known;
  const message = `The CLI has a context ${taken.name} of another cluster`;
  throw coded('HM-DESK-STATE', message, { context: taken.name }, `hivemind context rm ${taken.name}`);
}

export async function addContexts(
  environment: Environment,
  desk: DeskName,
  nodes: readonly DeskNode[],
): Promise<void> {
  const known = await readContexts({ environment });
  const own = Object.fromEntries(
    nodes.map((node) => [node.name, { address: addressOf(node), start: startOf(desk, node) }]),
  );
  await writeContexts({ environment }, { contexts: { ...known.contexts, ...own }, current: nodes[0]!.name });
}

/** Those of the desk go; the one in use before is again, unless somebody has chosen another meanwhile. */
export async function removeContexts(
  environment: Environment,
  desk: DeskName,
  before: string | undefined,
): Promise<void> {
  const known = await readContexts({ environment });
  const kept = Object.entries(known.contexts).filter(([, { address }]) => !isOf(desk, address));
  if (kept.length === Object.keys(known.contexts).length) return;
  const contexts = Object.fromEntries(kept);
  const wanted = known.current !== undefined && known.current in contexts ? known.current : before;
  const current = wanted !== undefined && wanted in contexts ? { current: wanted } : {};
  await writeContexts({ environment }, { contexts, ...current });
}
