/** The second half of the seeds. */
import { runSeeds } from './seeds.ts';

runSeeds(121, 120);
