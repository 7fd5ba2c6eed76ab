/** What producers and consumers have in common: they want calls made, and make something of the outcomes. */

import type { Call } from "../calls/call.js";
import type { FluxError } from "../errors.js";

/** A call to be made, and who is to be told what comes of it. */
export interface Wanted {
  // biome-ignore lint/suspicious/noExplicitAny: made by wanted(), which knows what belongs together
  readonly call: Call<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly then: (answer: any, nowMs: number) => void;
  readonly failed: (error: FluxError, nowMs: number) => void;
}

/** Decides; a runner makes the calls, tells what comes of them, and asks again after each and at `wakeAtMs`. */
export interface Agent {
  /** When something will be wanted, if nothing happens before. */
  readonly wakeAtMs: number | undefined;
  /** What is to be done now, each once. */
  wants(nowMs: number): Wanted[];
}

export function wanted<R>(
  call: Call<R>,
  then: (answer: R, nowMs: number) => void,
  failed: (error: FluxError, nowMs: number) => void,
): Wanted {
  return { call, then, failed };
}

/** The first of some times; undefined if there is none. */
export function earliest(...timesMs: (number | undefined)[]): number | undefined {
  let firstMs: number | undefined;
  for (const timeMs of timesMs)
    if (timeMs !== undefined && (firstMs === undefined || timeMs < firstMs)) firstMs = timeMs;
  return firstMs;
}
