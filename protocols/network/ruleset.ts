/**
 * The whole nftables table of a node as text: what it should be, not what changed. One transaction replaces the
 * table, so packets see the old rules or the new ones and nothing in between.
 */
import type { NodeNetwork, Publication } from './model.ts';

export function tableName(tag: string): string {
  return `hivemind_${tag}`;
}

/** For `nft -f -`. Deterministic: equal wishes give equal text. */
export function renderRuleset(network: NodeNetwork, publications: readonly Publication[]): string {
  const { bridge, block, pool, tag } = network;
  const published = publications.flatMap((publication) => publish(publication)).sort();
  const name = tableName(tag);
  const lines = [
    `table ip ${name}`,
    `delete table ip ${name}`,
    `table ip ${name} {`,
    '  chain published {',
    ...published.map((rule) => `    ${rule}`),
    '  }',
    '  chain prerouting {',
    '    type nat hook prerouting priority dstnat; policy accept;',
    '    fib daddr type local jump published',
    '  }',
    '  chain output {',
    '    type nat hook output priority -100; policy accept;',
    '    fib daddr type local jump published',
    '  }',
    '  chain postrouting {',
    '    type nat hook postrouting priority srcnat; policy accept;',
    // Out of the pool: by the address of the node.
    `    ip saddr ${block} ip daddr != ${pool} oifname != "${bridge}" masquerade`,
    // A container that asks a published port of its own node must get the answer the way it asked.
    `    oifname "${bridge}" ip saddr ${block} ct status dnat masquerade`,
    // From the loopback of the node, where an answer could not be routed back.
    `    oifname "${bridge}" ip saddr 127.0.0.0/8 masquerade`,
    '  }',
    '  chain guard {',
    '    type filter hook prerouting priority raw; policy accept;',
    // The bridge may route loopback addresses (for the rule above): neighbours and containers may not use that.
    '    iifname != "lo" ip daddr 127.0.0.0/8 drop',
    '  }',
    '}',
    '',
  ];
  return lines.join('\n');
}

/** Without backends nothing is translated: the node itself refuses the connection. */
function publish({ port, backends }: Publication): readonly string[] {
  if (backends.length === 0) return [];
  const address = port.hostAddress === '0.0.0.0' ? '' : `ip daddr ${port.hostAddress} `;
  const match = `${address}${port.protocol} dport ${port.hostPort}`;
  const sorted = [...backends].sort((a, b) =>
    a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port,
  );
  const [only] = sorted;
  if (sorted.length === 1 && only) return [`${match} dnat to ${only.address}:${only.port}`];
  const map = sorted.map((backend, index) => `${index} : ${backend.address} . ${backend.port}`).join(', ');
  return [`${match} dnat ip to numgen random mod ${sorted.length} map { ${map} }`];
}
