/** `security_opt:` of a service, in the spellings of Docker: `name:value`, `name=value` and bare names. */
import type { ComposeNode, Place } from '../document.ts';
import { inside, readList, readText, refuse, type KeyTable, type Scope } from '../readers.ts';
import { resolvePath } from '../values.ts';
import { contentOf, type ServiceDraft } from './draft.ts';

export const securityKeys: KeyTable<ServiceDraft> = { security_opt: readSecurity };

/** SELinux's own default for containers; options replace its parts. */
const labelParts = { user: 'system_u', role: 'system_r', type: 'container_t', level: 's0' };

function readSecurity(draft: ServiceDraft, node: ComposeNode, scope: Scope): void {
  const label: Record<string, string> = {};
  for (const [index, item] of readList(scope, node)?.items.entries() ?? []) {
    const at = inside(scope, index);
    const text = readText(at, item);
    if (text === undefined) continue;
    const [, name = '', value] = /^([^:=]+)(?:[:=](.*))?$/.exec(text) ?? [];
    if (name === 'no-new-privileges') setNoNewPrivileges(draft, at, item.at, value);
    else if (name === 'seccomp' && value) setSeccomp(draft, at, item.at, value);
    else if (name === 'apparmor' && value) draft.isolation.apparmor = value;
    else if (name === 'systempaths' && value === 'unconfined') draft.isolation.systemPathsUnconfined = true;
    else if (name === 'label' && value === 'disable') draft.isolation.label = 'disable';
    else if (name === 'label' && value) readLabel(label, at, item.at, value);
    else {
      const known = 'no-new-privileges, seccomp:…, apparmor:…, label:… and systempaths=unconfined';
      refuse(at, item.at, `${text} is not a security option`, `Known are ${known}.`);
    }
  }
  if (Object.keys(label).length > 0) {
    const { user, role, type, level } = { ...labelParts, ...label };
    draft.isolation.label = `${user}:${role}:${type}:${level}`;
  }
}

function readLabel(label: Record<string, string>, scope: Scope, at: Place, value: string): void {
  const [, part = '', text = ''] = /^([^:]+):(.+)$/.exec(value) ?? [];
  if (part in labelParts) label[part] = text;
  else refuse(scope, at, `${value} is not a part of a label`, 'user:, role:, type: or level:, or disable.');
}

function setNoNewPrivileges(draft: ServiceDraft, scope: Scope, at: Place, value: string | undefined): void {
  if (value === undefined || value === 'true') draft.isolation.noNewPrivileges = true;
  else if (value === 'false') draft.isolation.noNewPrivileges = false;
  else refuse(scope, at, 'no-new-privileges is true or false');
}

/** A profile is handed on as its text: the node does not see the deployer's files. */
function setSeccomp(draft: ServiceDraft, scope: Scope, at: Place, value: string): void {
  if (value === 'unconfined') {
    draft.isolation.seccomp = value;
    return;
  }
  if (value === 'builtin') return;
  const path = resolvePath(draft.context.projectDirectory, value);
  const read = contentOf(draft.context, path);
  if ('why' in read) {
    refuse(scope, at, `the seccomp profile cannot be had: ${read.why}`, 'Name a JSON file, or unconfined.');
    return;
  }
  const text = new TextDecoder().decode(read.bytes);
  if (isProfile(text)) draft.isolation.seccomp = text;
  else
    refuse(scope, at, `${path} is no seccomp profile`, 'JSON with defaultAction, as Docker’s default.json.');
}

function isProfile(text: string): boolean {
  try {
    const profile: unknown = JSON.parse(text);
    return typeof profile === 'object' && profile !== null && 'defaultAction' in profile;
  } catch {
    return false;
  }
}
