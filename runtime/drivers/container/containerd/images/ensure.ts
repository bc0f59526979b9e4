/** What a name is to be on this node: found, asked about or pulled, and ready to make containers from. */
import type { PullPolicy } from '../../../../../protocols/apps/service-model.ts';
import type { ImageInfo, ImageWish } from '../../../../../protocols/containers/model.ts';
import { pullDecision, usualPolicy } from '../../../../../protocols/containers/registry/policy.ts';
import { pinnedImageName, pinOf } from '../../../../../protocols/containers/registry/reference.ts';
import { coded } from '../../../../../protocols/errors.ts';
import type { Call } from '../../../../../protocols/ports.ts';
import type { Image } from '../gen/services/images_pb.ts';
import { chainId } from '../image-config.ts';
import { underLease } from './content.ts';
import {
  ignoreIncomplete,
  importLimits,
  infoOf,
  nameOf,
  platformImageOf,
  type Images,
} from './image-source.ts';
import { type PlatformImage } from './layout.ts';
import { findImage, lookedAt, putImage, targetOf } from './records.ts';
import { hasSnapshot, unpack } from './unpack.ts';

interface Wanted {
  readonly name: string;
  readonly platform: string;
  /** Absent: what the tag stands for. */
  readonly digest?: string;
  readonly policy: PullPolicy;
}

interface Here {
  readonly image: Image;
  /** Absent: parts of it are gone. */
  readonly content?: PlatformImage;
}

export async function ensure(images: Images, wish: ImageWish, call: Call): Promise<ImageInfo> {
  const wanted = await wantedOf(images, wish, call);
  const { name, digest } = wanted;
  const here = await lookHere(images, wanted, call);
  const decision = await decide(images, wanted, here, call);
  if (decision === 'pull') {
    const pinned = digest === undefined ? undefined : pinnedImageName(name, digest);
    // A tag that stands for something else by now is left alone.
    const tagFree =
      pinned === undefined || !(await findImage(images.connection, images.callLimits(call), name));
    const names = [...new Set([...(tagFree ? [name] : []), ...(pinned === undefined ? [] : [pinned])])];
    const pull = { name, platform: wanted.platform, names, ...(digest === undefined ? {} : { digest }) };
    await images.pulls!.pull(pull, call.signal);
  }
  const found = decision === 'pull' ? await lookHere(images, wanted, call) : here;
  if (!found) throw missing(wanted);
  return ready(images, wanted, found, call);
}

export async function resolve(
  images: Images,
  { image, policy }: { readonly image: string; readonly policy?: PullPolicy },
  call: Call,
): Promise<{ readonly digest?: string }> {
  const wanted = await wantedOf(images, { image, ...(policy ? { policy } : {}) }, call);
  if (wanted.digest !== undefined) return { digest: wanted.digest };
  const here = await lookHere(images, wanted, call);
  const held = here?.content ? { digest: targetOf(here.image).digest } : {};
  const fact = {
    present: here?.content !== undefined,
    lookedAtMs: here ? lookedAt(here.image) : 0,
    fixed: false,
  };
  const decision = pullDecision(wanted.policy, fact, images.clock.now());
  if (!images.pulls || decision === 'use' || decision === 'nothing') return held;
  return { digest: await images.pulls.digestOf(wanted.name, call.signal) };
}

async function wantedOf(images: Images, wish: ImageWish, call: Call): Promise<Wanted> {
  const name = nameOf(wish.image);
  const digest = wish.digest ?? pinOf(name);
  return {
    name,
    platform: wish.platform ?? (await images.facts(call)).platform,
    policy: wish.policy ?? usualPolicy,
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The record that stands for what is wanted. */
async function lookHere(images: Images, wanted: Wanted, call: Call): Promise<Here | undefined> {
  const find = (name: string) => findImage(images.connection, images.callLimits(call), name);
  let image = await find(wanted.name);
  if (wanted.digest !== undefined && image?.target?.digest !== wanted.digest)
    image = await find(pinnedImageName(wanted.name, wanted.digest));
  if (!image) return undefined;
  const content = await platformImageOf(images, image, call, wanted.platform).catch(ignoreIncomplete);
  return { image, ...(content ? { content } : {}) };
}

async function decide(
  images: Images,
  wanted: Wanted,
  here: Here | undefined,
  call: Call,
): Promise<'use' | 'pull'> {
  const { pulls } = images;
  if (!pulls) return 'use';
  const fits = here?.content?.platform === wanted.platform;
  const lookedAtMs = here ? lookedAt(here.image) : 0;
  // What was imported for another platform is what somebody wanted here; no registry is asked to replace it.
  const present = here?.content !== undefined && (fits || lookedAtMs === 0);
  const fixed = wanted.digest !== undefined;
  const decision = pullDecision(wanted.policy, { present, lookedAtMs, fixed }, images.clock.now());
  if (decision === 'pull') return 'pull';
  if (decision !== 'ask') return 'use';
  const digest = await pulls.digestOf(wanted.name, call.signal);
  const target = targetOf(here!.image);
  if (digest !== target.digest) return 'pull';
  await putImage(images.connection, images.callLimits(call), here!.image.name, target, images.clock.now());
  return 'use';
}

/** Fit for the platform, unpacked where it is this node's, under its short name and its pin. */
async function ready(images: Images, wanted: Wanted, { image }: Here, call: Call): Promise<ImageInfo> {
  const { name, platform, digest } = wanted;
  const { connection } = images;
  const content = await platformImageOf(images, image, call, platform);
  if (content.platform !== platform) {
    const message = `The image ${name} is for ${content.platform}, the node is ${platform}.`;
    throw coded('HM-IMAGE-PLATFORM', message, { image: name, platform, found: content.platform });
  }
  const facts = await images.facts(call);
  const top = chainId(content.diffIds);
  if (
    platform === facts.platform &&
    !(await hasSnapshot(connection, facts.snapshotter, images.callLimits(call), top))
  ) {
    // Imported by another client, or for another snapshotter.
    await images.oneAtATime(() =>
      underLease(connection, importLimits(call), images.clock.now(), (leased) =>
        unpack(connection, facts.snapshotter, leased, content, images.bounds),
      ),
    );
  }
  const kept = digest === undefined ? name : pinnedImageName(name, digest);
  if (image.name !== kept) await putImage(connection, images.callLimits(call), kept, targetOf(image));
  return { ...infoOf(image, content), name };
}

function missing({ name, digest, policy }: Wanted): Error {
  const pinned = digest === undefined ? name : pinnedImageName(name, digest);
  const why = policy.when === 'never' ? ', and its pull policy is never' : '';
  return coded('HM-IMAGE-MISSING', `The image ${pinned} is not on the node${why}.`, { image: name });
}
