/** What is counted while the API runs: requests by route and outcome, events by type. Labels are few by nature: routes and types are closed lists. */
import type { LoggedEvent } from '../../node-handle.ts';
import { counter, type Family, type Sample } from './text.ts';

/** Upper bounds of the duration's buckets, s: most answers take 1 ms, an image's removal a second. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10] as const;

interface Timing {
  readonly labels: { readonly route: string; readonly method: string };
  readonly buckets: number[];
  sum: number;
  count: number;
}

export class Counts {
  readonly #requests = new Map<string, { readonly labels: Record<string, string>; value: number }>();
  readonly #timings = new Map<string, Timing>();
  readonly #events = new Map<string, { readonly labels: Record<string, string>; value: number }>();

  request(route: string, method: string, status: number, seconds: number): void {
    this.#count(this.#requests, `${method} ${route} ${status}`, { route, method, code: String(status) });
    const key = `${method} ${route}`;
    let timing = this.#timings.get(key);
    if (!timing) {
      timing = { labels: { route, method }, buckets: bounds.map(() => 0), sum: 0, count: 0 };
      this.#timings.set(key, timing);
    }
    const bucket = bounds.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) timing.buckets[bucket]! += 1;
    timing.sum += seconds;
    timing.count += 1;
  }

  event({ type, level }: Pick<LoggedEvent, 'type' | 'level'>): void {
    this.#count(this.#events, `${type} ${level}`, { type, level });
  }

  #count(
    counts: Map<string, { readonly labels: Record<string, string>; value: number }>,
    key: string,
    labels: Record<string, string>,
  ): void {
    const known = counts.get(key);
    if (known) known.value += 1;
    else counts.set(key, { labels, value: 1 });
  }

  families(): readonly Family[] {
    return [
      counter('hivemind_http_requests_total', 'Requests to the API.', [...this.#requests.values()]),
      {
        name: 'hivemind_http_request_duration_seconds',
        help: 'Time to answer a request to the API.',
        type: 'histogram',
        samples: [...this.#timings.values()].flatMap(histogram),
      },
      counter('hivemind_events_total', 'Events of this boot.', [...this.#events.values()]),
    ];
  }
}

function histogram({ labels, buckets, sum, count }: Timing): Sample[] {
  let below = 0;
  const steps = bounds.map((bound, at) => {
    below += buckets[at]!;
    return { suffix: '_bucket', labels: { ...labels, le: bound }, value: below };
  });
  return [
    ...steps,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: count },
  ];
}
