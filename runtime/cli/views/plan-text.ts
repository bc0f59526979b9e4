/** A plan for people: what comes, goes and changes, and which field makes containers give way. */
import type { ContainerCounts, FieldChange, Plan, ServicePlan } from '../../../protocols/apps/plan/plan.ts';
import { pad, tidy, widthOf, type Ink, type Tone } from '../output/style.ts';

/** `command`: what deploys exactly this. `full`: also what stays. */
export function planLines(plan: Plan, command: string, ink: Ink, full: boolean): string[] {
  const { app, from, to } = plan;
  if (!plan.changed) return [`${app} is up to date (rev ${from}).`];
  const parts = [
    ...plan.services
      .filter((service) => full || service.action !== 'keep' || service.fields.length > 0)
      .flatMap((service) => serviceLines(service, ink)),
    ...aligned(plan.fields, '', ink),
    ...plan.volumes
      .filter(({ action }) => full || action !== 'keep')
      .map((volume) => volumeLine(volume, ink)),
  ];
  const head =
    from === 0
      ? `${mark('added', ink)} app ${app}   rev ${to}`
      : `${mark('changed', ink)} app ${app}   rev ${from}${to === from ? '' : ` → ${to}`}`;
  return [
    head,
    ...parts.map((line) => `    ${line}`),
    ...imageLines(plan),
    ink.faint('─'.repeat(46)),
    `${counted(plan.containers)}        apply exactly this: ${command}`,
  ];
}

type Kind = FieldChange['kind'];

const marks: Readonly<Record<Kind, readonly [string, Tone]>> = {
  added: ['+  ', 'good'],
  removed: ['-  ', 'bad'],
  changed: ['+/-', 'busy'],
};

const mark = (kind: Kind, ink: Ink): string => ink[marks[kind][1]](marks[kind][0]);

const kinds: Readonly<Record<ServicePlan['action'], Kind>> = {
  create: 'added',
  remove: 'removed',
  replace: 'changed',
  update: 'changed',
  keep: 'changed',
};

const doings: Readonly<Record<ServicePlan['action'], string>> = {
  create: 'is new',
  replace: 'replaces containers',
  update: 'in place',
  remove: 'is removed',
  keep: 'stays',
};

function serviceLines({ name, action, containers, fields, unchanged }: ServicePlan, ink: Ink): string[] {
  const counts = counted(containers);
  const head = `${action === 'keep' ? '   ' : mark(kinds[action], ink)} service ${name}   ${doings[action]}: ${counts}`;
  const same = unchanged === 0 || action === 'create' ? [] : [`        (${unchanged} unchanged fields)`];
  return [head, ...aligned(fields, '    ', ink), ...same];
}

/** Why stands in one column. */
function aligned(fields: readonly FieldChange[], indent: string, ink: Ink): string[] {
  const told = fields.map((field) => `${short(field.path)} ${values(field)}`);
  const width = Math.min(60, Math.max(0, ...told.map(widthOf)));
  return fields.map(({ kind, effect }, index) => {
    const why = effect === 'replaces' ? `   ${ink.busy('replaces containers')}` : '';
    const text = why === '' ? told[index]! : pad(told[index]!, width);
    return `${indent}${mark(kind, ink)} ${text}${why}`;
  });
}

const short = (path: string): string => tidy(path.replace(/^environment(?=\.)/, 'env'));

function values({ kind, before, after, hidden }: FieldChange): string {
  if (hidden) return '(changed)';
  if (kind === 'added') return tidy(after ?? '');
  if (kind === 'removed') return tidy(before ?? '');
  return tidy(`${before ?? ''} → ${after ?? ''}`);
}

function volumeLine({ name, action }: Plan['volumes'][number], ink: Ink): string {
  if (action === 'create') return `${mark('added', ink)} volume ${name}`;
  return action === 'keep'
    ? `    volume ${name}   stays`
    : `${mark('removed', ink)} volume ${name}   no longer used; its data stays`;
}

function imageLines({ images }: Plan): string[] {
  return images.map(({ image, digest }, index) => {
    const title = index === 0 ? 'Images' : '      ';
    return `${title}  ${image}  ${digest === undefined ? 'not on the node yet' : digest.slice(0, 19)}`;
  });
}

const counted = ({ create, replace, remove, keep }: ContainerCounts): string =>
  `${create} create · ${replace} replace · ${remove} remove · ${keep} stay`;
