/** The first half of the seeds. */
import { runSeeds } from './seeds.ts';

runSeeds(1, 120);
