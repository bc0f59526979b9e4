/**
 * I1: an image is asked for as a placement of the store says: under the pull policy of its service, and as the content
 * that its deploy found; a container is made from just that.
 */
import type { Assignment } from '../../../../protocols/apps/model.ts';
import type { ContainerCreate } from '../../../../protocols/containers/model.ts';
import type { ImageWish } from '../../../../protocols/containers/model.ts';
import type { StoreEvent } from '../../../../protocols/state/model.ts';
import type { PortCall } from '../../../world/simulated/gate.ts';
import { Checker } from '../checker.ts';

const wishOf = ({ image, policy, digest }: ImageWish): string =>
  JSON.stringify([image, policy?.when ?? 'unsaid', digest ?? 'any']);

export class ImagesAsSaid extends Checker {
  readonly name = 'I1';
  /** As they were ever assigned, and the digest of each `slot#placement`. */
  readonly #wishes = new Set<string>();
  readonly #digests = new Map<string, string | undefined>();

  override onRevision(events: readonly StoreEvent[]): void {
    for (const event of events) {
      if (event.type !== 'put' || !event.kv.key.startsWith('nodes/')) continue;
      const { slot, placement, digest, spec } = event.kv.value as Assignment;
      const policy = spec.pullPolicy ? { policy: spec.pullPolicy } : {};
      this.#wishes.add(wishOf({ image: spec.image, ...policy, ...(digest === undefined ? {} : { digest }) }));
      this.#digests.set(`${slot}#${placement}`, digest);
    }
  }

  override onCall({ port, op, args }: PortCall): void {
    if (port === 'images' && op === 'ensure') {
      this.exercised += 1;
      const wish = wishOf(args as ImageWish);
      if (!this.#wishes.has(wish)) this.fail(`${wish} is asked for, and no placement says so`);
    }
    if (port === 'containers' && op === 'create') this.#checkContent(args as ContainerCreate);
  }

  #checkContent({ id, key, spec }: ContainerCreate): void {
    const digest = this.#digests.get(`${key.slot}#${key.placement}`);
    if (digest !== undefined && !spec.image.endsWith(`@${digest}`))
      this.fail(`${id} is made from ${spec.image}, and its deploy found ${digest}`);
  }
}
