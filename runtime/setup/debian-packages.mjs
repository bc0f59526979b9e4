/**
 * The distribution's packages that Hivemind and its tests stand on: installed when they are missing, by root, on
 * Debian and its relatives. Their services are neither started nor enabled: a node starts what it needs itself.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gather, hasProgram, isRoot, say } from './commands.mjs';

/** By the program that shows that the package is there; `service` is what it would enable. */
const forNode = [
  { package: 'containerd', program: 'containerd', service: 'containerd.service' },
  { package: 'runc', program: 'runc' },
  { package: 'nftables', program: 'nft' },
  { package: 'iproute2', program: 'ip' },
  { package: 'tini', program: 'tini-static' },
];
const forTests = [
  ...forNode,
  { package: 'debootstrap', program: 'debootstrap' },
  { package: 'zsh', program: 'zsh' },
  { package: 'fish', program: 'fish' },
  { package: 'tmux', program: 'tmux' },
  { package: 'mandoc', program: 'mandoc' },
  { package: 'procps', program: 'ps' },
  { package: 'curl', program: 'curl' },
  { package: 'docker-registry', program: 'docker-registry', service: 'docker-registry.service' },
  { package: 'skopeo', program: 'skopeo' },
  { package: 'openssl', program: 'openssl' },
  { package: 'prometheus', program: 'promtool', service: 'prometheus.service' },
];
/** What `npm run bench` measures beside ours. */
const forBench = [
  ...forTests,
  { package: 'etcd-server', program: 'etcd', service: 'etcd.service' },
  { package: 'docker.io', program: 'dockerd', service: 'docker.service' },
  { package: 'docker-compose', program: 'docker-compose' },
  { package: 'serf', program: 'serf', service: 'serf.service' },
];
const uses = { node: forNode, tests: forTests, bench: forBench };

/** Tells package scripts that no service may be started; left alone where the machine has one of its own. */
const policyFile = '/usr/sbin/policy-rc.d';

/** `use`: `node`, `tests` or `bench`. Idempotent; answers the names of what is still missing. */
export function ensureDebianPackages(use) {
  const missing = uses[use].filter(({ program }) => !hasProgram(program));
  if (missing.length === 0) return [];
  const names = missing.map((entry) => entry.package);
  if (!isRoot() || !isDebian()) {
    const how = isDebian() ? `sudo apt-get install ${names.join(' ')}` : 'install them by hand';
    say(`not installed: ${names.join(', ')}  (${how})`);
    return names;
  }
  say(`setting up: ${names.join(', ')}`);
  install(missing, names);
  return missing.filter(({ program }) => !hasProgram(program)).map((entry) => entry.package);
}

export function isDebian() {
  if (!hasProgram('apt-get') || !existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync('/etc/os-release', 'utf8'));
}

function install(missing, names) {
  const ownPolicy = !existsSync(policyFile);
  if (ownPolicy) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    let done = apt(['install', ...names]);
    // Package lists that are missing or too old.
    if (done.code !== 0 && apt(['update']).code === 0) done = apt(['install', ...names]);
    if (done.code !== 0) return say(`apt-get install failed:\n${done.output.trim()}`);
  } finally {
    if (ownPolicy) rmSync(policyFile, { force: true });
  }
  const services = missing.flatMap(({ service }) => service ?? []);
  if (services.length > 0 && hasProgram('systemctl'))
    gather('systemctl', ['disable', '--quiet', ...services]);
}

function apt([verb, ...names]) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  return gather('apt-get', [verb, '-q', '-y', '--no-install-recommends', ...names], { env });
}
