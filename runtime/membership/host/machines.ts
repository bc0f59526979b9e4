/** The machines of the membership subtree's kernel: no others, so that its thread stays small. */
import type { AnyStateMachine } from 'xstate';
import { joinerMachine } from '../../../actors/membership/joiner.machine.ts';
import { memberMachine } from '../../../actors/membership/member.machine.ts';
import { proberMachine } from '../../../actors/membership/prober.machine.ts';
import { supervisorMachine } from '../../../supervisors/supervisor.machine.ts';

export const membershipMachines: Readonly<Record<string, AnyStateMachine>> = {
  supervisor: supervisorMachine,
  member: memberMachine,
  prober: proberMachine,
  joiner: joinerMachine,
};
