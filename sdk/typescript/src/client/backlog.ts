import type { AnyExchange } from "./exchange.js";
import type { ClientOptions, Complete } from "./options.js";
import { Queue } from "./queue.js";

/** Calls that are not sent yet, first in, first out; what is put back goes before everything that was never taken. */
export class Backlog {
  readonly #options: Complete<ClientOptions>;
  readonly #queue = new Queue<AnyExchange>();
  #bytes = 0;
  #putBack = 0; // how many at the head were put back since the last was taken

  constructor(options: Complete<ClientOptions>) {
    this.#options = options;
  }

  get length(): number {
    return this.#queue.length;
  }

  /** Whether there is room for it; a single one always finds room. */
  accepts(exchange: AnyExchange): boolean {
    const { maxWaiting, maxWaitingBytes } = this.#options;
    return this.length === 0 || (this.length < maxWaiting && this.#bytes + exchange.size <= maxWaitingBytes);
  }

  /** At the end. */
  add(exchange: AnyExchange): void {
    this.#queue.push(exchange);
    this.#bytes += exchange.size;
  }

  /** At the head, behind what was put back just before. They are few: no more than were in flight. */
  putBack(exchange: AnyExchange): void {
    this.#queue.insert(this.#putBack, exchange);
    this.#putBack += 1;
    this.#bytes += exchange.size;
  }

  /** What {@link take} would return. */
  get first(): AnyExchange | undefined {
    return this.#queue.first;
  }

  /** The first, to be sent. */
  take(): AnyExchange | undefined {
    const exchange = this.#queue.shift();
    if (exchange !== undefined) this.#bytes -= exchange.size;
    this.#putBack = 0;
    return exchange;
  }

  /** If it is there. */
  remove(exchange: AnyExchange): void {
    this.removeIf((each) => each === exchange);
  }

  /** Remove whatever is unwanted; what it was, in order. */
  removeIf(isUnwanted: (exchange: AnyExchange) => boolean): AnyExchange[] {
    const removed: AnyExchange[] = [];
    const kept: AnyExchange[] = [];
    let putBack = 0;
    for (const [position, exchange] of this.#queue.toArray().entries()) {
      if (isUnwanted(exchange)) {
        removed.push(exchange);
        this.#bytes -= exchange.size;
      } else {
        kept.push(exchange);
        if (position < this.#putBack) putBack += 1;
      }
    }
    if (removed.length > 0) {
      this.#queue.replace(kept);
      this.#putBack = putBack;
    }
    return removed;
  }

  /** Of all; undefined if there are none. */
  earliestDeadlineMs(): number | undefined {
    let earliestMs: number | undefined;
    for (const { deadlineMs } of this.#queue.toArray()) {
      if (earliestMs === undefined || deadlineMs < earliestMs) earliestMs = deadlineMs;
    }
    return earliestMs;
  }
}
