/** What producers and consumers can be told: the one table of options and defaults. */

import type { Complete } from "../client/options.js";
import type { FluxError } from "../errors.js";
import type { TopicPartition } from "../results.js";
import type { Acks } from "../wire/records.js";

/** How records are gathered, sent and sent again. */
export interface ProducerOptions {
  /** What an acknowledgement waits for; 1 if it is not said. */
  readonly acks?: Acks | undefined;
  /** How long a record waits for others to share its batch; 0. */
  readonly lingerMs?: number | undefined;
  /** Records sent together, at most; 100. */
  readonly batchSize?: number | undefined;
  /** Batches sent and not answered, at most; two of them never hold records of one key; 5. */
  readonly maxInFlight?: number | undefined;
  /** Records accepted and not acknowledged, at most; further ones are refused as `THROTTLED`; 10000. */
  readonly maxBuffered?: number | undefined;
  /** The same in bytes of keys and values; 32 MiB. */
  readonly maxBufferedBytes?: number | undefined;
  /** How often a record is sent again that a broker refused for now. One that may have been appended never is; 3. */
  readonly maxRetries?: number | undefined;
  /** How long to wait before the first retry; twice as long before each further one; 250. */
  readonly retryBackoffMs?: number | undefined;
}

export const PRODUCER_DEFAULTS: Complete<ProducerOptions> = {
  acks: 1,
  lingerMs: 0,
  batchSize: 100,
  maxInFlight: 5,
  maxBuffered: 10_000,
  maxBufferedBytes: 32 << 20,
  maxRetries: 3,
  retryBackoffMs: 250,
};

/** How a group's partitions are read. */
export interface ConsumerSettings {
  /** `"round_robin"`, unless another one is named. */
  readonly assignor?: "round_robin" | "range" | (string & {}) | undefined;
  /** How long the broker waits for a sign of life; after that the partitions are others'; 10000. */
  readonly sessionTimeoutMs?: number | undefined;
  /** How often one is given, however long a handler takes; 2000. */
  readonly heartbeatIntervalMs?: number | undefined;
  /** How long the broker may wait for a record before it answers that there is none; 500. */
  readonly pollIntervalMs?: number | undefined;
  /** How much one answer may hold; up to twice as much is buffered, for each partition; 1 MiB. */
  readonly maxPollBytes?: number | undefined;
  /** With fewer records than that at hand, more are asked for, partition by partition; 500. */
  readonly prefetch?: number | undefined;
  /** Where to begin when nothing is committed, or when that is not in the log any more; `"error"` ends the consumer instead. */
  readonly autoOffsetReset?: "earliest" | "latest" | "error" | undefined;
  /** Commit what is handled. If not, {@link Consumer.commit} has to be called; true. */
  readonly autoCommit?: boolean | undefined;
  /** At most so often is one partition's offset committed; the last one always follows; 100. */
  readonly commitIntervalMs?: number | undefined;
  /** Join again when the group was rebalanced. If not, that ends the consumer with `GENERATION_MISMATCH`; true. */
  readonly autoRejoin?: boolean | undefined;
  /** How often a handler gets a message again that it failed on; then the consumer ends with its error; 3. */
  readonly maxRetries?: number | undefined;
  /** How long to wait before the first retry, of a handler or of a request; twice as long before each further one; 250. */
  readonly retryBackoffMs?: number | undefined;
  /** But no longer than that. Requests are tried again for as long as it takes; 5000. */
  readonly maxRetryBackoffMs?: number | undefined;
}

/** Who is told what happens to a consumer: between two messages, in order, and waited for. */
export interface ConsumerListeners {
  /** These partitions are the consumer's from now on. */
  readonly onAssign?: ((partitions: readonly TopicPartition[]) => unknown) | undefined;
  /** These no longer are; what was handled and not committed may be handled again by whoever has them now. */
  readonly onRevoke?: ((partitions: readonly TopicPartition[]) => unknown) | undefined;
  /** Something failed and will be tried again. Without a listener, it is a process warning. */
  readonly onError?: ((error: FluxError) => unknown) | undefined;
  /** The consumer has ended: by an error that no repetition would mend, or because a handler failed too often. */
  readonly onCrash?: ((error: unknown) => unknown) | undefined;
}

export interface ConsumerOptions extends ConsumerSettings, ConsumerListeners {
  readonly groupId: string;
  /** The member's name in the group; one of its own if it is not said. */
  readonly consumerId?: string | undefined;
}

export const CONSUMER_DEFAULTS: Complete<ConsumerSettings> = {
  assignor: "round_robin",
  sessionTimeoutMs: 10_000,
  heartbeatIntervalMs: 2000,
  pollIntervalMs: 500,
  maxPollBytes: 1 << 20,
  prefetch: 500,
  autoOffsetReset: "earliest",
  autoCommit: true,
  commitIntervalMs: 100,
  autoRejoin: true,
  maxRetries: 3,
  retryBackoffMs: 250,
  maxRetryBackoffMs: 5000,
};

/** How long to wait before the next attempt: twice as long each time, up to a limit. */
export class Backoff {
  readonly #firstMs: number;
  readonly #mostMs: number;
  #nextMs: number;

  constructor(firstMs: number, mostMs: number) {
    this.#firstMs = firstMs;
    this.#mostMs = mostMs;
    this.#nextMs = firstMs;
  }

  /** Once more. */
  nextMs(): number {
    const delayMs = Math.min(this.#nextMs, this.#mostMs);
    this.#nextMs = 2 * delayMs;
    return delayMs;
  }

  /** It went well: begin anew. */
  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}
