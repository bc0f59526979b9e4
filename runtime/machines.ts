/** Every machine of a node, under the name that child specs use; those of its membership subtree too. */
import type { AnyStateMachine } from 'xstate';
import { appManagerMachine } from '../actors/apps/app-manager.machine.ts';
import { containerManagerMachine } from '../actors/containers/container-manager.machine.ts';
import { containerMachine } from '../actors/containers/container.machine.ts';
import { permitsMachine } from '../actors/containers/permits.machine.ts';
import { runtimeWatchMachine } from '../actors/containers/runtime-watch.machine.ts';
import { slotMachine } from '../actors/containers/slot.machine.ts';
import { registryMachine } from '../actors/discovery/registry.machine.ts';
import { checkMachine } from '../actors/health/check.machine.ts';
import { networkManagerMachine } from '../actors/network/network-manager.machine.ts';
import { observedMachine } from '../actors/observed/observed.machine.ts';
import { storeGuardMachine } from '../actors/state/store-guard.machine.ts';
import { volumeManagerMachine } from '../actors/storage/volume-manager.machine.ts';
import { membershipMachines } from './membership/host/machines.ts';

export const machines: Readonly<Record<string, AnyStateMachine>> = {
  ...membershipMachines,
  'store-guard': storeGuardMachine,
  'app-manager': appManagerMachine,
  'container-manager': containerManagerMachine,
  slot: slotMachine,
  container: containerMachine,
  permits: permitsMachine,
  'runtime-watch': runtimeWatchMachine,
  check: checkMachine,
  'network-manager': networkManagerMachine,
  'volume-manager': volumeManagerMachine,
  registry: registryMachine,
  observed: observedMachine,
};
