/** A process of a campaign; `campaign.ts` starts as many as there are processors. */
import { judgeSeed } from '../campaign.ts';
import { planFor } from '../plans/choice.ts';
import { serveSeeds } from './serve.ts';

serveSeeds((seed, wish) => judgeSeed(seed, planFor(wish, seed)));
