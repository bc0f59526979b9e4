/** How a container comes to its image: asks for it by policy and digest, and tells its slot how far a pull has come. */
import type { Assignment } from '../../apps/model.ts';
import { drive, emit, type Decision, type Effect } from '../../effects.ts';
import { reason, type Reason } from '../../errors.ts';
import { limits } from '../../limits.ts';
import { processImage } from './host-process.ts';
import { shortImageName } from '../image-name.ts';
import type { ImageInfo, ImageWish, PullProgress } from '../model.ts';
import { pinnedImageName } from '../registry/reference.ts';

/** What the deploy found the image to be stays what every start of this assignment runs. */
export function imageWish({ digest, spec }: Assignment): ImageWish {
  const { image, pullPolicy, platform } = spec;
  if (spec.hostProcess) return { image: processImage };
  return {
    image,
    ...(pullPolicy === undefined ? {} : { policy: pullPolicy }),
    ...(platform === undefined ? {} : { platform }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The name the container is made from: the pinned one where the content is known. */
export function imageToRun({ digest, spec }: Assignment): string {
  const short = shortImageName(spec.image);
  return digest === undefined || short === undefined ? spec.image : pinnedImageName(short, digest);
}

interface Pulling {
  readonly assignment: Assignment;
  /** What was told last of the pull. */
  readonly pull?: Reason;
}

/** Beside the wish itself, which is still under way. */
export function lookAtPull<Value>(value: Value): Decision<Value> {
  const call = { port: 'images', op: 'pulls', args: {} } as const;
  const answer = { done: 'pulls.listed', failed: 'pulls.refused' };
  return [value, [drive('pulls', call, answer, limits.runtimeCallMs)]];
}

/** `tell` brings news to the slot. */
export function notePull<Value extends Pulling>(
  value: Value,
  event: { readonly value: { readonly pulls: readonly PullProgress[] } },
  tell: (because: Reason) => Effect,
): Decision<Value> {
  const because = pullReason(value.assignment.spec.image, event.value.pulls);
  if (!because || because.message === value.pull?.message) return [value, []];
  return [{ ...value, pull: because }, [tell(because)]];
}

/** How far the pull of this image is; none: it is not under way. */
export function pullReason(image: string, pulls: readonly PullProgress[]): Reason | undefined {
  const short = shortImageName(image);
  const found = pulls.find((pull) => pull.image === short);
  if (!found) return undefined;
  const { doneBytes, totalBytes, layers } = found;
  const done = layers.filter(({ phase }) => phase === 'done').length;
  const amount =
    totalBytes === 0 ? 'asking the registry' : `${megabytes(doneBytes)} of ${megabytes(totalBytes)} MB`;
  const unpacked = layers.length === 0 ? '' : `, ${done} of ${layers.length} layers unpacked`;
  return reason('HM-IMAGE-PULLING', `pulling ${image}: ${amount}${unpacked}`, {
    image,
    doneBytes,
    totalBytes,
  });
}

const megabytes = (bytes: number): string => (bytes / 1_000_000).toFixed(1);

/** Only what was seen to be pulled is an event: an image that was here is none. */
export function notePulled<Value extends Pulling>(
  value: Value,
  event: { readonly value: ImageInfo },
): Decision<Value> {
  if (!value.pull) return [value, []];
  const { name, digest } = event.value;
  return [value, [emit('image.pulled', name, `${name} is pulled: ${digest}`)]];
}
