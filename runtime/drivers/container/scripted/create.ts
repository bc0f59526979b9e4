/**
 * How a scripted container is made, and how that is cut off: by an engine that goes, a client that dies, a caller
 * that waits no more. Any of them may leave a record without a task, or a container that nobody asked for any more.
 */
import { lendingSlot } from '../../../../protocols/apps/model.ts';
import type { ContainerCreate, ContainerStatus } from '../../../../protocols/containers/model.ts';
import { coded } from '../../../../protocols/errors.ts';
import type { Call, ContainerRuntime } from '../../../../protocols/ports.ts';
import type { Client } from './engine.ts';
import type { ScriptedImages } from './images.ts';
import type { ScriptedMachine } from './machine.ts';

type Created = { readonly pid: number };

export function creator(
  machine: ScriptedMachine,
  images: ScriptedImages,
  client: Client,
): ContainerRuntime['create'] {
  const { engine } = machine;
  /** Under way, by id: a second request for the same id waits for the first. */
  const creating = new Map<string, Promise<Created>>();
  const work = (call: Call, ms: number) => engine.work(call, ms, client);

  /** A request that hung until nobody waited any more may still be carried out when the engine goes on. */
  const taken = async (args: ContainerCreate, call: Call) => {
    const hung = engine.health === 'hung';
    await work(call, 1).catch((error: unknown) => {
      if (hung && engine.health === 'hung' && machine.chance(machine.lateCreates)) {
        const end = engine.onTurn((health) => {
          end();
          if (health !== 'up' || machine.find(args.id)) return;
          machine.make(args);
          machine.task(args.id);
        });
      }
      throw error;
    });
  };

  const create = async (args: ContainerCreate, call: Call): Promise<Created> => {
    await taken(args, call);
    const found = machine.find(args.id);
    if (found && found.phase !== 'unknown') return { pid: found.pid ?? 0 };
    if (found) machine.remove(args.id);
    if (machine.diskFull) throw coded('HM-DISK-FULL', 'no space left on device', { container: args.id });
    images.mustHave(args.spec.image);
    mustLend(machine, args);
    const script = machine.make(args);
    try {
      await work(call, script.createMs ?? 20);
    } catch (error) {
      // Whatever cut it off: the engine may have gone either way, or stopped half way.
      if (!machine.chance(machine.leftovers)) machine.remove(args.id);
      throw error;
    }
    if (script.createFails) {
      machine.remove(args.id);
      throw coded(script.createFails, 'the script refuses the create', { container: args.id });
    }
    if (!machine.find(args.id))
      throw coded('HM-CONTAINER-CREATE', 'removed meanwhile', { container: args.id });
    return { pid: machine.task(args.id) };
  };

  return (args, call) => {
    const before = creating.get(args.id);
    if (before) return before;
    const under = create(args, call).finally(() => creating.delete(args.id));
    creating.set(args.id, under);
    return under;
  };
}

/** Whose network it wants runs. */
function mustLend(machine: ScriptedMachine, { key, spec }: ContainerCreate): void {
  const lender = lendingSlot(key.slot, spec);
  const runs = (status: ContainerStatus): boolean => status.key.slot === lender && status.phase === 'running';
  if (lender !== undefined && !machine.list().some(runs))
    throw coded('HM-CONTAINER-PEER', `${key.slot} shares with ${lender}, which does not run`, {
      slot: key.slot,
    });
}
