/**
 * `dist/hivemind_VERSION_ARCH.deb`: the executable, a unit for systemd, the manual page and the completions of the
 * shells. It depends on containerd, runc, nftables and iproute2, and on no Node. Removing it stops the daemon alone:
 * containers and data stay until `hivemind purge`.
 */
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { gather, giveUp, root, say } from '../commands.mjs';

const architectures = { x64: 'amd64', arm64: 'arm64' };
const unit = 'hivemind-node.service';

/** Answers the package's path. `executable` is that of `makeExecutable`. */
export function makeDebianPackage(executable) {
  const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const architecture = architectures[process.arch];
  if (!architecture) giveUp(`there is no Debian architecture for ${process.arch}`);
  const tree = join(root, 'dist', 'debian');
  rmSync(tree, { recursive: true, force: true });
  const put = (path, content, mode = 0o644) => {
    const file = join(tree, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    chmodSync(file, mode);
  };
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  copyFileSync(executable, join(tree, 'usr/bin/hivemind'));
  symlinkSync('hivemind', join(tree, 'usr/bin/hivemind-node'));
  put(`lib/systemd/system/${unit}`, readFileSync(join(root, 'examples/systemd', unit)));
  const told = (...words) => ask(executable, words);
  put('usr/share/man/man1/hivemind.1.gz', gzipSync(told('docs', 'man'), { level: 9 }));
  put('usr/share/bash-completion/completions/hivemind', told('completion', 'bash'));
  put('usr/share/zsh/vendor-completions/_hivemind', told('completion', 'zsh'));
  put('usr/share/fish/vendor_completions.d/hivemind.fish', told('completion', 'fish'));
  put('usr/share/doc/hivemind/copyright', copyright);
  for (const [name, text] of Object.entries(scripts)) put(`DEBIAN/${name}`, text, 0o755);
  put('DEBIAN/control', control({ version, description, architecture, kib: sizeOf(tree) }));
  const out = join(root, 'dist', `hivemind_${version}_${architecture}.deb`);
  const { code, output } = gather('dpkg-deb', ['--root-owner-group', '--build', '-Zgzip', tree, out]);
  if (code !== 0) giveUp(`dpkg-deb failed:\n${output.trim()}`, 'It comes with the package dpkg.');
  rmSync(tree, { recursive: true });
  say(`built ${out.slice(root.length + 1)}`);
  return out;
}

function ask(executable, words) {
  const { code, output } = gather(executable, words);
  if (code !== 0) giveUp(`hivemind ${words.join(' ')} failed:\n${output.trim()}`);
  return output;
}

const sizeOf = (tree) => Number(gather('du', ['-sk', tree]).output.split('\t')[0]);

const control = ({ version, description, architecture, kib }) => `Package: hivemind
Version: ${version}
Architecture: ${architecture}
Maintainer: Hivemind <hivemind@localhost>
Installed-Size: ${kib}
Depends: containerd, runc, nftables, iproute2, libc6, libstdc++6
Section: admin
Priority: optional
Description: ${description.slice(0, 70)}
 Runs Compose files on containerd, keeps them running through crashes, and
 explains what is not as wished. hivemind-node is the daemon, hivemind the
 command line tool.
`;

/** The daemon is enabled and started where systemd runs; an upgrade restarts it, and containers run on. */
const scripts = {
  postinst: `#!/bin/sh
set -e
[ "$1" = configure ] || exit 0
[ -n "$2" ] || deb-systemd-helper enable ${unit} >/dev/null || true
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  if [ -z "$2" ]; then deb-systemd-invoke start ${unit} || true
  else deb-systemd-invoke try-restart ${unit} || true; fi
fi
`,
  prerm: `#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --now ${unit} || true
  echo "Containers and data stay. To remove them, before the package: hivemind purge"
fi
`,
  postrm: `#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then systemctl daemon-reload || true; fi
`,
};

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: hivemind

Files: *
Copyright: the authors of Hivemind
License: Apache-2.0

License: Apache-2.0
 On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.
 The executable holds Node.js and npm packages under their own licenses
 (MIT, Apache-2.0, BSD, ISC and alike).
`;
