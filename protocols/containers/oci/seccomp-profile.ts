/**
 * A seccomp profile in Docker's JSON form, read for one machine: its conditions on capabilities, architecture and
 * kernel are decided here, and what is left is what the OCI specification knows.
 */
import { z } from 'zod';
import { refusal } from './refusal.ts';
import type { OciSeccomp, OciSeccompRule } from './types.ts';

const condition = z.object({
  caps: z.array(z.string()).nullish(),
  arches: z.array(z.string()).nullish(),
  minKernel: z.string().nullish(),
});

const rule = z.object({
  names: z.array(z.string()).nullish(),
  name: z.string().nullish(),
  action: z.string(),
  errnoRet: z.int().nonnegative().nullish(),
  args: z
    .array(
      z.object({
        index: z.int().nonnegative(),
        value: z.number().nonnegative(),
        valueTwo: z.number().nonnegative().nullish(),
        op: z.string(),
      }),
    )
    .nullish(),
  includes: condition.nullish(),
  excludes: condition.nullish(),
});

const profile = z.object({
  defaultAction: z.string(),
  defaultErrnoRet: z.int().nonnegative().nullish(),
  architectures: z.array(z.string()).nullish(),
  archMap: z
    .array(z.object({ architecture: z.string(), subArchitectures: z.array(z.string()).nullish() }))
    .nullish(),
  syscalls: z.array(rule).nullish(),
});

export interface ProfileGround {
  /** GOARCH word: `amd64`. */
  readonly architecture: string;
  readonly capabilities: readonly string[];
  /** `6.1.0`, as the kernel tells it. */
  readonly kernel: string;
}

const scmp: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  arm: 'SCMP_ARCH_ARM',
  '386': 'SCMP_ARCH_X86',
  riscv64: 'SCMP_ARCH_RISCV64',
  s390x: 'SCMP_ARCH_S390X',
  ppc64le: 'SCMP_ARCH_PPC64LE',
};

/** HM-CONTAINER-SETTING when the text is not such a profile. */
export function readSeccompProfile(text: string, ground: ProfileGround): OciSeccomp {
  const read = profile.safeParse(parsed(text));
  if (!read.success) {
    const issue = read.error.issues[0];
    throw refusal('security_opt', `seccomp: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong'}`);
  }
  const { defaultAction, defaultErrnoRet, architectures, archMap, syscalls } = read.data;
  const own = archMap?.find(({ architecture }) => architecture === scmp[ground.architecture]);
  const named = own ? [own.architecture, ...(own.subArchitectures ?? [])] : (architectures ?? undefined);
  return {
    defaultAction,
    ...(typeof defaultErrnoRet === 'number' ? { defaultErrnoRet } : {}),
    ...(named && named.length > 0 ? { architectures: named } : {}),
    syscalls: (syscalls ?? []).filter((one) => applies(one, ground)).map(ruleOf),
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refusal('security_opt', 'the seccomp profile is not JSON');
  }
}

type Rule = z.infer<typeof rule>;

function applies({ includes, excludes }: Rule, ground: ProfileGround): boolean {
  if (excludes?.caps?.some((name) => ground.capabilities.includes(name))) return false;
  if (excludes?.arches?.includes(ground.architecture)) return false;
  if (excludes?.minKernel && isAtLeast(ground.kernel, excludes.minKernel)) return false;
  if (includes?.caps && !includes.caps.every((name) => ground.capabilities.includes(name))) return false;
  if (includes?.arches?.length && !includes.arches.includes(ground.architecture)) return false;
  return !includes?.minKernel || isAtLeast(ground.kernel, includes.minKernel);
}

function ruleOf({ names, name, action, errnoRet, args }: Rule): OciSeccompRule {
  return {
    names: names ?? (typeof name === 'string' ? [name] : []),
    action,
    ...(typeof errnoRet === 'number' ? { errnoRet } : {}),
    ...(args && args.length > 0
      ? {
          args: args.map(({ valueTwo, ...one }) => ({
            ...one,
            ...(typeof valueTwo === 'number' ? { valueTwo } : {}),
          })),
        }
      : {}),
  };
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const numbers = (text: string) => text.split(/[.-]/).slice(0, 2).map(Number);
  const [major = 0, minor = 0] = numbers(kernel);
  const [wantedMajor = 0, wantedMinor = 0] = numbers(wanted);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
