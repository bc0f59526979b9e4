/** What every network driver asks of a container that is to be attached. */
import { coded } from '../../../protocols/errors.ts';
import { contains, holding, parseAddress, parseBlock } from '../../../protocols/network/cidr.ts';
import type { AttachRequest, NodeBlock, NodeNetwork } from '../../../protocols/network/model.ts';

/**
 * The block that the address lies in, else HM-NETWORK-DRIVER. Nothing that could be another command becomes part of a
 * batch. A static address is none of the pool, which has an owner for each of its addresses already.
 */
export function checkRequest({ blocks, pool }: NodeNetwork, request: AttachRequest): NodeBlock {
  const { id, pid, address, networks = [], hardware } = request;
  const evidence = { id, pid, address };
  const block = holding(blocks, address);
  if (!block || address === block.gateway) {
    const all = blocks.map((one) => one.block).join(', ');
    throw coded('HM-NETWORK-DRIVER', `${address} is not a container's address in ${all}`, evidence);
  }
  if (!/^[A-Za-z0-9._-]{1,128}$/.test(id)) {
    throw coded('HM-NETWORK-DRIVER', `${JSON.stringify(id)} is not a container's id`, evidence);
  }
  if (!Number.isInteger(pid) || pid < 1) {
    throw coded('HM-NETWORK-DRIVER', `${pid} is not a process`, evidence);
  }
  if (hardware !== undefined && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(hardware)) {
    throw coded('HM-NETWORK-DRIVER', `${hardware} is not a MAC address`, { ...evidence, hardware });
  }
  for (const { address: fixed, subnet } of networks) {
    if (fixed === undefined || subnet === undefined) continue;
    if (parseAddress(fixed) === undefined || !parseBlock(subnet) || !contains(subnet, fixed))
      throw coded('HM-NETWORK-DRIVER', `${fixed} is not an address in ${subnet}`, { ...evidence, fixed });
    if (contains(pool, fixed)) {
      const text = `the static address ${fixed} lies in the pool ${pool}, whose addresses Hivemind gives out`;
      throw coded('HM-NETWORK-SUBNET', text, { ...evidence, fixed, pool });
    }
  }
  return block;
}
