/**
 * The node network on Linux: a bridge, a veth for each container, one nftables table, some switches of the kernel.
 * Everything is compared with what is there and only the difference is changed. It decides nothing about who gets
 * which address or port: that is `protocols/network`.
 *
 * Read first: `links.ts` (what the links look like) and `protocols/network/ruleset.ts` (what the table says).
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { coded } from '../../../../protocols/errors.ts';
import { forwardObstacles, type ForwardObstacle } from '../../../../protocols/network/forwarding.ts';
import type {
  Attachment,
  AttachRequest,
  NodeBlock,
  NodeNetwork,
  Publication,
} from '../../../../protocols/network/model.ts';
import { joinedOrOpen } from '../../../../protocols/network/networks.ts';
import {
  checkNode,
  coverage,
  rulesetOf,
  tableName,
  withoutRuleset,
  zonesCheck,
} from '../../../../protocols/network/ruleset.ts';
import type { Call, Clock, NetworkDriver } from '../../../../protocols/ports.ts';
import { createRun, succeeded, type Run, wasNoLink } from './command.ts';
import {
  attachmentOf,
  bridgeBatch,
  insideBatch,
  isBridgeOf,
  linkName,
  markedAlias,
  outsideBatch,
  parseReports,
  routeProtocol,
  strayRoutes,
  switchedBy,
  type LinkReport,
  type SwitchName,
} from './links.ts';
import { collides, parseListeners } from './listeners.ts';
import { Members } from './members.ts';
import { parseTraffic } from './traffic.ts';
import { Relay } from '../relay/relay.ts';
import { checkRequest } from '../requests.ts';
import { putBack, setSwitches } from './switches.ts';

export interface LinuxNetworkOptions {
  readonly clock: Clock;
  /** Whose links and table: ≤ 6 characters [a-z0-9]. */
  readonly tag: string;
  /** Path of the node's network namespace, `/proc/4711/ns/net`; absent: the one of this process. */
  readonly netns?: string;
}

export interface LinuxNetwork extends NetworkDriver {
  /** What on this machine would drop packets of containers, for `doctor`: Docker's or a firewall's FORWARD policy. */
  obstacles(call: Call): Promise<readonly ForwardObstacle[]>;
  /** Whether the kernel has nftables' bridge family, without which no rule sees packets between containers. */
  hasBridgeRules(call: Call): Promise<boolean>;
  /** Of the networks that containers stand on. */
  subnets(): readonly string[];
  /** Lets packets of the bridge pass there. */
  clear(obstacle: ForwardObstacle, call: Call): Promise<void>;
}

/** All rejections are HM-NETWORK-DRIVER, with what the command said. */
export function createLinuxNetwork(options: LinuxNetworkOptions): LinuxNetwork {
  return new Driver(options);
}

class Driver implements LinuxNetwork {
  readonly #tag: string;
  readonly #netns: string | undefined;
  readonly #run: Run;
  /** A kernel may be built or started without it; its settings are then refused. */
  readonly #ipv6 = existsSync('/proc/sys/net/ipv6');
  #node: NodeNetwork | undefined;
  /** `undefined` until this life was told: what stands there from the life before stays until then. */
  #publications: readonly Publication[] | undefined;
  readonly #members: Members;
  /** Of the kernel's connection tracking; `undefined` until it was asked. */
  #zones: boolean | undefined;
  /** Sockets are in the namespace of this process. */
  readonly #relay: Relay | undefined;
  /** Bridge and table change one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ clock, tag, netns }: LinuxNetworkOptions) {
    this.#tag = tag;
    this.#netns = netns;
    this.#relay = netns === undefined ? new Relay(clock) : undefined;
    this.#run = createRun({ clock, within: netns === undefined ? [] : ['nsenter', `--net=${netns}`] });
    this.#members = new Members(tableName(tag), (input, call) =>
      this.#run(['nft', '-f', '-'], { input, signal: call.signal }),
    );
  }

  ensureNode: NetworkDriver['ensureNode'] = (node, call) =>
    this.#inTurn(async () => {
      checkNode(node);
      if (node.tag !== this.#tag) throw coded('HM-NETWORK-DRIVER', `${node.tag} is not ${this.#tag}`);
      const before = await this.#ensureBridge(node, call);
      const switched = await setSwitches(this.#run, node.bridge, call);
      if (switched.length > 0) {
        const alias = markedAlias(this.#tag, [...before, ...switched]);
        const mark = [`link set dev ${node.bridge} alias ${alias}`];
        await this.#batch(['ip'], mark, `bridge ${node.bridge}`, call);
      }
      this.#node = node;
      await this.#pruneRoutes(node, call);
      if (this.#publications !== undefined || !(await this.#covers(node, call)))
        await this.#apply(node, this.#publications ?? [], call);
      await this.#relay?.look();
      return {};
    });

  /** A container that ended took its link along, but not the host's routes to its static addresses. */
  async #pruneRoutes({ bridge }: NodeNetwork, call: Call): Promise<void> {
    const show = ['ip', '-j', 'route', 'show', 'proto', `${routeProtocol}`, 'dev', bridge];
    const routes = succeeded('the list of routes', await this.#run(show, call));
    if (!/dst/.test(routes)) return;
    const { attachments } = await this.list({}, call);
    for (const address of strayRoutes(routes, attachments))
      await this.#run(['ip', 'route', 'delete', `${address}/32`, 'dev', bridge], call);
  }

  /** Whether the table of the life before stands; now it covers all blocks of the node. */
  async #covers(node: NodeNetwork, call: Call): Promise<boolean> {
    return (await this.#run(['nft', '-f', '-'], { input: coverage(node), signal: call.signal })).code === 0;
  }

  /** Which switches the bridge remembers. */
  async #ensureBridge(node: NodeNetwork, call: Call): Promise<readonly SwitchName[]> {
    const found = (await this.#links(call)).find((link) => link.ifname === node.bridge);
    if (found && found.linkinfo?.info_kind !== 'bridge') {
      throw coded('HM-NETWORK-DRIVER', `the interface ${node.bridge} exists and is not a bridge`);
    }
    if (found?.ifalias?.startsWith('hivemind/') && !isBridgeOf(this.#tag, found)) {
      throw coded('HM-NETWORK-DRIVER', `the bridge ${node.bridge} belongs to another node: ${found.ifalias}`);
    }
    const lines = bridgeBatch(node, found, this.#ipv6);
    if (lines.length > 0) await this.#batch(['ip'], lines, `bridge ${node.bridge}`, call);
    return (found && switchedBy(this.#tag, found)) ?? [];
  }

  attach: NetworkDriver['attach'] = async (request, call) => {
    const node = this.#node;
    if (!node) throw coded('HM-NETWORK-DRIVER', 'the bridge is not ready yet', { id: request.id });
    const block = checkRequest(node, request);
    await this.#admit(node, request, call);
    const outside = outsideBatch(node, request, this.#ipv6);
    const made = await this.#run(['ip', '-batch', '-'], { input: lines(outside), signal: call.signal });
    if (made.code !== 0) {
      if (!/File exists/.test(made.stderr)) succeeded(`the link of ${request.id}`, made);
      if (await this.#attached(node, block, request, call)) return {};
      // What a crash left half done, or of a process that is gone: anew.
      await this.detach({ id: request.id }, call);
      await this.#batch(['ip'], outside, `the link of ${request.id}`, call);
    }
    await this.#batch(within(request.pid, 'ip'), insideBatch(node, request, this.#ipv6), request.id, call);
    return {};
  };

  /** Into the rules, before it can send anything. */
  #admit(node: NodeNetwork, { id, address, networks }: AttachRequest, call: Call): Promise<void> {
    return this.#members.join(id, { address, networks: joinedOrOpen(networks) }, call, (join) =>
      this.#inTurn(async () => {
        if (await join()) return;
        // The address leads elsewhere: the whole table anew, if all of it is known.
        if (this.#publications !== undefined) await this.#apply(node, this.#publications, call);
        else await this.#members.replace(call);
      }),
    );
  }

  /** Whether the link is whole, both ends of it. */
  async #attached(node: NodeNetwork, block: NodeBlock, request: AttachRequest, call: Call): Promise<boolean> {
    const link = (await this.#links(call)).find(({ ifname }) => ifname === linkName(this.#tag, request.id));
    if (!link || attachmentOf(this.#tag, link)?.address !== request.address) return false;
    if (link.master !== node.bridge || !link.flags.includes('LOWER_UP')) return false;
    const show = [...within(request.pid, 'ip'), '-j', '-d', 'address', 'show', 'dev', 'eth0'];
    const inside = await this.#run(show, call);
    if (inside.code !== 0) return false;
    const held = parseReports(inside.stdout).flatMap(({ addr_info = [] }) => addr_info);
    if (!held.some(({ local }) => local === request.address)) return false;
    const routes = [...within(request.pid, 'ip'), 'route', 'show', 'default'];
    return (await this.#run(routes, call)).stdout.includes(`via ${block.gateway} `);
  }

  detach: NetworkDriver['detach'] = async ({ id }, call) => {
    this.#members.leave(id);
    const gone = await this.#run(['ip', 'link', 'delete', 'dev', linkName(this.#tag, id)], call);
    if (!wasNoLink(gone)) succeeded(`the link of ${id}`, gone);
    return {};
  };

  list: NetworkDriver['list'] = async (_, call) => ({
    attachments: (await this.#links(call))
      .map((link) => attachmentOf(this.#tag, link))
      .filter((one): one is Attachment => one !== undefined),
  });

  traffic: NetworkDriver['traffic'] = async ({ ids }, call) => {
    if (ids.length === 0) return { traffic: [] };
    const links = parseTraffic(await this.#table('dev', call));
    return {
      traffic: ids.flatMap((id) => {
        const flows = links.get(linkName(this.#tag, id));
        return flows ? [{ id, ...flows }] : [];
      }),
    };
  };

  publish: NetworkDriver['publish'] = ({ publications, members = [] }, call) =>
    this.#inTurn(async () => {
      this.#members.tell(members);
      // Before the bridge is there nothing can be published: `ensureNode` will.
      if (this.#node) await this.#apply(this.#node, publications, call);
      this.#publications = publications;
      await this.#relay?.set(publications);
      return {};
    });

  async #apply(node: NodeNetwork, publications: readonly Publication[], call: Call): Promise<void> {
    const kernel = { zones: (this.#zones ??= await this.#accepts(zonesCheck(this.#tag), call)) };
    const input = rulesetOf(node, publications, this.#members.all(), kernel);
    succeeded('the table of rules', await this.#run(['nft', '-f', '-'], { input, signal: call.signal }));
  }

  taken: NetworkDriver['taken'] = async ({ ports }, call) => {
    if (ports.length === 0) return { taken: [] };
    const files = ['tcp', 'tcp6', 'udp', 'udp6'] as const;
    const reads = files.map(async (file) => {
      return parseListeners(file.startsWith('tcp') ? 'tcp' : 'udp', await this.#table(file, call));
    });
    const listeners = (await Promise.all(reads))
      .flat()
      // The name server on the bridge is ours, and the rules keep it out of every publication.
      .filter(({ address }) => address !== this.#node?.blocks[0].gateway)
      .filter((listener) => !this.#relay?.holds(listener));
    return { taken: ports.filter((port) => listeners.some((listener) => collides(port, listener))) };
  };

  /** `/proc/net` shows the namespace of who opens it. */
  async #table(file: string, call: Call): Promise<string> {
    const path = `/proc/net/${file}`;
    if (this.#netns !== undefined) return (await this.#run(['cat', path], call)).stdout;
    // Without IPv6 its tables do not exist.
    return readFile(path, 'utf8').catch(() => '');
  }

  addresses: NetworkDriver['addresses'] = async (_, call) => ({
    addresses: (await this.#links(call))
      .flatMap(({ addr_info = [] }) => addr_info.map(({ local }) => local))
      .sort(),
  });

  purge: NetworkDriver['purge'] = (_, call) =>
    this.#inTurn(async () => {
      this.#relay?.close();
      const links = await this.#links(call);
      const bridges = links.filter((link) => isBridgeOf(this.#tag, link));
      const ours = [...links.filter((link) => attachmentOf(this.#tag, link)), ...bridges];
      const rules = { input: withoutRuleset(this.#tag), signal: call.signal };
      succeeded('the table of rules', await this.#run(['nft', '-f', '-'], rules));
      if (ours.length > 0) {
        // A container may end meanwhile and take its link along: that is no error.
        const batch = {
          input: lines(ours.map(({ ifname }) => `link delete dev ${ifname}`)),
          signal: call.signal,
        };
        const gone = await this.#run(['ip', '-force', '-batch', '-'], batch);
        const left = (await this.#links(call)).filter(({ ifname }) =>
          ours.some((one) => one.ifname === ifname),
        );
        if (left.length > 0) succeeded('the links of this node', gone);
      }
      // Somebody else's bridge may need them as they are by now.
      const others = links.some((link) => link.linkinfo?.info_kind === 'bridge' && !bridges.includes(link));
      const switched = bridges.flatMap((link) => switchedBy(this.#tag, link) ?? []);
      if (switched.length > 0 && !others) await putBack(this.#run, switched, call);
      this.#node = undefined;
      this.#publications = undefined;
      this.#members.clear();
      return {};
    });

  async obstacles(call: Call): Promise<readonly ForwardObstacle[]> {
    const list = await this.#run(['nft', '-j', 'list', 'ruleset'], call);
    return forwardObstacles(JSON.parse(succeeded('the list of rules', list)), this.#node?.bridge ?? '');
  }

  hasBridgeRules(call: Call): Promise<boolean> {
    return this.#accepts(`add table bridge ${tableName(this.#tag)}_check\n`, call);
  }

  /** Looked at and not made: the kernel is asked all the same. */
  async #accepts(input: string, call: Call): Promise<boolean> {
    return (await this.#run(['nft', '-c', '-f', '-'], { input, signal: call.signal })).code === 0;
  }

  subnets(): readonly string[] {
    const networks = this.#members.all().flatMap((member) => member.networks);
    return [...new Set(networks.flatMap(({ subnet }) => subnet ?? []))].sort();
  }

  async clear({ commands, table, chain }: ForwardObstacle, call: Call): Promise<void> {
    for (const command of commands) succeeded(`a rule in ${table} ${chain}`, await this.#run(command, call));
  }

  async #links(call: Call): Promise<readonly LinkReport[]> {
    const show = await this.#run(['ip', '-j', '-d', 'address', 'show'], call);
    return parseReports(succeeded('the list of links', show));
  }

  async #batch(ip: readonly string[], batch: readonly string[], what: string, call: Call): Promise<void> {
    const result = await this.#run([...ip, '-batch', '-'], { input: lines(batch), signal: call.signal });
    succeeded(what, result);
  }

  #inTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const answer = this.#turn.then(work, work);
    this.#turn = answer.catch(() => undefined);
    return answer;
  }
}

const lines = (batch: readonly string[]): string => `${batch.join('\n')}\n`;

/** Into the container's namespace; the program is the host's. */
const within = (pid: number, program: string): readonly string[] => [
  'nsenter',
  '-t',
  `${pid}`,
  '-n',
  program,
];
