import { randomUUID } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import {
  Backoff,
  CONSUMER_DEFAULTS,
  type ConsumerListeners,
  type ConsumerOptions,
  type ConsumerSettings,
} from "../agents/options.js";
import { type Event, Subscription } from "../agents/subscription.js";
import { type Complete, complete } from "../client/options.js";
import { badRequest } from "../errors.js";
import type { Message, TopicPartition } from "../results.js";
import type { OwnClient } from "./producer.js";
import { Runner } from "./runner.js";

/** What is done with each message. */
export interface RunOptions {
  /** What it returns is awaited before the next message. If it fails, it gets the message again, up to `maxRetries` times. */
  readonly eachMessage: (message: Message) => unknown;
}

/** How long {@link Consumer.disconnect} may take. */
export interface DisconnectOptions {
  /** 10000. */
  readonly timeoutMs?: number | undefined;
}

const PROD_MS = 10; // between two looks at what is wanted, while messages are at hand: a look costs more than a message
const DISCONNECT_MS = 10_000;

/**
 * Reads the partitions of a group that fall to this member. Made by {@link FluxRuntime.consumer}.
 *
 * {@link run} a handler, or iterate, not both at once. A message counts as handled when the handler is done with it, or when the next
 * one is asked for; then it is committed, unless `autoCommit` is off. So each message is handled at least once. Signs of life are
 * given meanwhile, as long as nobody blocks the event loop.
 */
export class Consumer implements AsyncIterable<Message> {
  readonly #client: OwnClient;
  readonly #settings: Complete<ConsumerSettings>;
  readonly #listeners: ConsumerListeners;
  readonly #subscription: Subscription;
  readonly #runner: Runner;
  #waiting: (() => void)[] = []; // for news
  #proddedAtMs = 0;
  readonly #closing = new AbortController();
  #hasCrashed = false;
  #disconnected: Promise<void> | undefined;

  /** @internal */
  constructor(client: OwnClient, options: ConsumerOptions) {
    const { groupId, consumerId, onAssign, onRevoke, onError, onCrash, ...settings } = options;
    this.#client = client;
    this.#settings = complete(settings, CONSUMER_DEFAULTS);
    this.#listeners = { onAssign, onRevoke, onError, onCrash };
    this.#subscription = new Subscription(groupId, consumerId ?? `flux-${randomUUID()}`, this.#settings);
    this.#runner = new Runner(client, this.#subscription, () => this.#look());
  }

  // --- messages ---

  /** Become a member of the group on one topic or several. Messages are fetched from then on. */
  subscribe(topics: string | readonly string[]): void {
    this.#subscription.add(typeof topics === "string" ? [topics] : topics);
    this.#runner.prodSoon();
  }

  /**
   * Call `eachMessage` with each message, until {@link disconnect}.
   *
   * It is rejected when the consumer has ended by an error, which `onCrash` is told too: its membership is over by then, and the
   * message that a handler failed on is not committed. With an `onCrash` nobody needs to await it.
   */
  run({ eachMessage }: RunOptions): Promise<void> {
    const running = this.#run(eachMessage);
    if (this.#listeners.onCrash !== undefined) running.catch(() => {}); // it has been told
    return running;
  }

  /** Iterating ends by {@link disconnect}; leaving the loop early leaves its last message unhandled: see {@link handled}. */
  [Symbol.asyncIterator](): AsyncIterator<Message, undefined> {
    return {
      next: async () => {
        this.#subscription.handled();
        const message = await this.#next();
        return message === undefined ? { done: true, value: undefined } : { done: false, value: message };
      },
      return: async () => ({ done: true, value: undefined }),
    };
  }

  /** Who iterates and wants no next message says so that the last one is handled; it is committed by {@link disconnect}, or before. */
  handled(): void {
    this.#subscription.handled();
    this.#runner.prodSoon();
  }

  /** Have the group go on behind a message; fulfilled when that is durable. `GENERATION_MISMATCH`: its partition is no longer ours. */
  commit(message: Message): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#subscription.commit(message, resolve, reject);
      this.#runner.prodSoon();
    });
  }

  // --- partitions ---

  /** The partitions that are this consumer's. */
  get assignment(): readonly TopicPartition[] {
    return this.#subscription.assignment;
  }

  /** The offset of the next message; undefined as long as nobody knows. @throws FluxError the partition is not ours. */
  position(topic: string, partition: number): bigint | undefined {
    return this.#subscription.position(topic, partition);
  }

  /** Go on at an offset. @throws FluxError the partition is not ours. */
  seek(topic: string, partition: number, offset: number | bigint): void {
    if (typeof offset === "number" && !Number.isSafeInteger(offset)) throw badRequest(`offset: ${offset} is no offset`);
    this.#subscription.seek(topic, partition, BigInt(offset));
    this.#runner.prodSoon();
  }

  /** Hand out nothing from there. @throws FluxError the partition is not ours. */
  pause(topic: string, partition: number): void {
    this.#subscription.pause(topic, partition);
  }

  /** Go on there. @throws FluxError the partition is not ours. */
  resume(topic: string, partition: number): void {
    this.#subscription.resume(topic, partition);
    this.#runner.prodSoon();
  }

  /** Commit what is handled, leave the group, and close the connection; or try to for so long. What was owned is revoked. */
  disconnect(options: DisconnectOptions = {}): Promise<void> {
    this.#disconnected ??= this.#disconnect(options.timeoutMs ?? DISCONNECT_MS);
    return this.#disconnected;
  }

  // --- inside ---

  get #isClosing(): boolean {
    return this.#closing.signal.aborted;
  }

  async #run(eachMessage: RunOptions["eachMessage"]): Promise<void> {
    try {
      for (let message = await this.#next(); message !== undefined; message = await this.#next()) {
        await this.#handle(message, eachMessage);
      }
    } catch (error) {
      await this.#crash(error);
      throw error;
    }
  }

  async #handle(message: Message, eachMessage: RunOptions["eachMessage"]): Promise<void> {
    const { maxRetries, retryBackoffMs, maxRetryBackoffMs } = this.#settings;
    const backoff = new Backoff(retryBackoffMs, maxRetryBackoffMs);
    for (let retries = 0; !this.#isClosing; retries += 1) {
      try {
        await eachMessage(message);
        this.#subscription.handled();
        return;
      } catch (error) {
        if (retries >= maxRetries) throw error;
        await setTimeout(backoff.nextMs(), undefined, { signal: this.#closing.signal }).catch(() => {});
      }
    }
  }

  /** The next message, after telling what there is to be told; undefined when the consumer is being closed. */
  async #next(): Promise<Message | undefined> {
    const subscription = this.#subscription;
    while (!this.#isClosing) {
      if (subscription.failure !== undefined) {
        await this.#crash(subscription.failure);
        throw subscription.failure;
      }
      const nowMs = performance.now();
      const item = subscription.next(nowMs);
      if (item?.kind === "message") {
        if (nowMs - this.#proddedAtMs >= PROD_MS) {
          this.#proddedAtMs = nowMs;
          this.#runner.prodSoon();
        }
        return item.message;
      }
      if (item === undefined) {
        this.#runner.prod();
        if (!this.#isClosing && !subscription.hasNews(performance.now())) {
          await new Promise<void>((resolve) => this.#waiting.push(resolve));
        }
      } else {
        await this.#tell(item);
      }
    }
    await this.#disconnected; // what is over is really over: committed, left, and told to be revoked
    return undefined;
  }

  #tell(event: Event): unknown {
    const { onAssign, onRevoke, onError } = this.#listeners;
    switch (event.kind) {
      case "assigned":
        return onAssign?.(event.partitions);
      case "revoked":
        return onRevoke?.(event.partitions);
      case "survived":
        if (onError !== undefined) return onError(event.error);
        return process.emitWarning(`${event.error.code}: ${event.error.message}; trying again`, "FluxWarning");
    }
  }

  async #crash(error: unknown): Promise<void> {
    if (this.#hasCrashed) return;
    this.#hasCrashed = true;
    try {
      await this.disconnect();
    } finally {
      await this.#listeners.onCrash?.(error);
    }
  }

  async #disconnect(timeoutMs: number): Promise<void> {
    const subscription = this.#subscription;
    const owned = subscription.assignment;
    this.#closing.abort();
    subscription.close(performance.now() + timeoutMs);
    this.#look();
    this.#runner.prod();
    while (!subscription.isOver(performance.now())) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#runner.stop();
    subscription.abandon();
    await this.#client.close();
    if (owned.length > 0) await this.#tell({ kind: "revoked", partitions: owned });
  }

  /** Wake whoever waits, if there is something. */
  #look(): void {
    if (!this.#isClosing && !this.#subscription.hasNews(performance.now())) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}
