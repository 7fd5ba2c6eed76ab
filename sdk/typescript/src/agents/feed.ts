import { commit, offset } from "../calls/groups.js";
import { consume, type End, offsets } from "../calls/records.js";
import type { Complete } from "../client/options.js";
import { Queue } from "../client/queue.js";
import { FluxError } from "../errors.js";
import type { Message, NextOffset, OffsetFound, Page, TopicPartition } from "../results.js";
import { earliest, type Wanted, wanted } from "./agent.js";
import type { Membership } from "./membership.js";
import { Backoff, type ConsumerSettings } from "./options.js";

/** Someone waits for an offset to be committed. */
interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: FluxError) => void;
}

/**
 * One partition a consumer owns: records read ahead of whoever handles them, committed behind him.
 *
 * Reading goes: where did the group stop (locate), if that is nowhere, where does the log begin or end (reset), then page by page.
 * One call for reading and one for committing may be under way. What is committed is never ahead of what is handled.
 *
 * *Transitions*: {@link doubt} after a rebalance, {@link seek}, {@link pause} and {@link resume}, {@link stop}; {@link abandon} is
 * final.
 */
export class Feed {
  readonly tp: TopicPartition;
  isPaused = false;
  /** A message handed out before a jump says nothing about what comes after it. */
  jumps = 0;
  readonly #membership: Membership;
  readonly #options: Complete<ConsumerSettings>;
  readonly #failed: (error: FluxError) => void;
  readonly #messages = new Queue<Message>();
  #position: bigint | undefined; // where to read next
  #isLocated = false;
  #resetTo: End | undefined;
  #reading = 0; // the number of the call under way that counts; 0: none
  #calls = 0;
  #readAtMs = 0;
  readonly #readBackoff: Backoff;
  #isStopping = false;
  #handled: bigint | undefined; // the next offset to commit
  #ours = new Set<bigint | undefined>(); // what the group's offset may be by our doing; undefined: nothing was committed
  #isCommitting = false;
  #commitAtMs = 0;
  readonly #commitBackoff: Backoff;
  #waiters: Waiter[] = [];
  #isAbandoned = false;

  constructor(
    tp: TopicPartition,
    membership: Membership,
    options: Complete<ConsumerSettings>,
    failed: (error: FluxError) => void,
  ) {
    this.tp = tp;
    this.#membership = membership;
    this.#options = options;
    this.#failed = failed;
    this.#readBackoff = new Backoff(options.retryBackoffMs, options.maxRetryBackoffMs);
    this.#commitBackoff = new Backoff(options.retryBackoffMs, options.maxRetryBackoffMs);
  }

  // --- the consumer ---

  /** Whether {@link take} has one that is surely this member's. */
  hasMessages(nowMs: number): boolean {
    return this.#messages.length > 0 && this.#isLocated && !this.isPaused && this.#membership.isAlive(nowMs);
  }

  /** The next message. */
  take(): Message | undefined {
    return this.#messages.shift();
  }

  /** It need not be read again. */
  handled(message: Message): void {
    this.#handled = message.offset + 1n;
  }

  /** Have an offset committed, soon; told when that is durable, or cannot be any more. */
  commit(where: bigint, resolve: () => void, reject: (error: FluxError) => void): void {
    this.#handled = where;
    this.#commitAtMs = 0;
    if (this.#isCommitted) resolve();
    else this.#waiters.push({ resolve, reject });
  }

  /** The offset of the next message to be handed out; undefined as long as nobody knows. */
  get position(): bigint | undefined {
    return this.#messages.first?.offset ?? this.#position;
  }

  /** Whether what is handled is committed. */
  get isSettled(): boolean {
    return !this.#isCommitting && !this.#hasToCommit;
  }

  /** Go on elsewhere. */
  seek(where: bigint): void {
    this.jumps += 1;
    this.#messages.replace([]);
    this.#position = where;
    this.#isLocated = true;
    this.#readAnew();
  }

  /** Hand out nothing, read nothing. */
  pause(): void {
    this.isPaused = true;
  }

  /** Go on. */
  resume(): void {
    this.isPaused = false;
  }

  /** There was a rebalance: look whether somebody else has moved the group's offset before going on. */
  doubt(): void {
    this.#isLocated = false;
    this.#readAnew();
  }

  /** Read no more; what is handled is still committed. */
  stop(): void {
    this.#isStopping = true;
    this.#messages.replace([]);
    this.#commitAtMs = 0;
  }

  /** The partition is somebody else's, or nobody will commit any more. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#refuseWaiters(`${this.tp.topic}-${this.tp.partition} is not this consumer's any more`);
  }

  // --- the runner ---

  /** When it wants something next, if nothing happens before. */
  get wakeAtMs(): number | undefined {
    return earliest(
      this.#wantsToRead ? this.#readAtMs : undefined,
      this.#hasToCommit && !this.#isCommitting ? this.#commitAtMs : undefined,
    );
  }

  /** A call to read, a call to commit. */
  wants(nowMs: number): Wanted[] {
    const calls: Wanted[] = [];
    if (this.#wantsToRead && nowMs >= this.#readAtMs) {
      this.#calls += 1;
      this.#reading = this.#calls;
      calls.push(this.#read(this.#calls));
    }
    if (this.#hasToCommit && !this.#isCommitting && nowMs >= this.#commitAtMs) calls.push(this.#commit(nowMs));
    return calls;
  }

  // --- inside: reading ---

  get #wantsToRead(): boolean {
    if (this.#reading > 0 || this.#isStopping || this.#membership.generation === undefined) return false;
    return !this.#isLocated || (!this.isPaused && this.#messages.length < this.#options.prefetch);
  }

  #read(number: number): Wanted {
    const { topic, partition } = this.tp;
    const failed = (error: FluxError, nowMs: number) => this.#notRead(number, error, nowMs);
    if (this.#resetTo !== undefined) {
      const then = (found: OffsetFound) => this.#isCurrent(number) && this.#wasReset(found);
      return wanted(offsets(topic, partition, this.#resetTo), then, failed);
    }
    if (!this.#isLocated || this.#position === undefined) {
      const then = (found: NextOffset) => this.#isCurrent(number) && this.#wasLocated(found);
      return wanted(offset(this.#membership.group, topic, partition), then, failed);
    }
    const { maxPollBytes, pollIntervalMs } = this.#options;
    const call = consume(topic, partition, this.#position, { maxBytes: maxPollBytes, waitMs: pollIntervalMs });
    return wanted(call, (page: Page) => this.#isCurrent(number) && this.#wasRead(page), failed);
  }

  /** Whether the feed has not moved on since; then reading is over. */
  #isCurrent(number: number): boolean {
    if (number !== this.#reading) return false;
    this.#reading = 0;
    this.#readBackoff.reset();
    return true;
  }

  #wasLocated(answer: NextOffset): void {
    const found = answer.committed ? answer.offset : undefined;
    this.#isLocated = true;
    if (this.#position !== undefined && this.#ours.has(found)) return; // where we left it: go on with what is at hand
    this.jumps += 1;
    this.#ours = new Set([found]);
    this.#handled = undefined;
    this.#refuseWaiters(`the group ${this.#membership.group} has been sent elsewhere meanwhile`);
    this.#messages.replace([]);
    this.#position = answer.offset;
    if (found === undefined && this.#options.autoOffsetReset !== "earliest") {
      this.#reset(); // to the earliest it has come already
      if (this.#resetTo === undefined) {
        const { topic, partition } = this.tp;
        const message = `${topic}-${partition}: the group ${this.#membership.group} has committed nothing`;
        this.#failed(new FluxError("OFFSET_OUT_OF_RANGE", message));
      }
    }
  }

  #wasReset(found: OffsetFound): void {
    this.#resetTo = undefined;
    this.#isLocated = true;
    this.#position = found.offset;
  }

  #wasRead(page: Page): void {
    for (const message of page) this.#messages.push(message);
    this.#position = page.nextOffset;
  }

  #notRead(number: number, error: FluxError, nowMs: number): void {
    if (number !== this.#reading) return;
    this.#reading = 0;
    if (error.code === "OFFSET_OUT_OF_RANGE") this.#reset();
    else this.#readAtMs = nowMs + this.#readBackoff.nextMs();
    this.#failed(error);
  }

  /** There is nothing where it should go on: go where the options say; nowhere, if they say that this is an error. */
  #reset(): void {
    if (this.#options.autoOffsetReset !== "error") this.#resetTo = this.#options.autoOffsetReset;
    this.#isLocated = false;
    this.#position = undefined;
  }

  #readAnew(): void {
    this.#resetTo = undefined;
    this.#reading = 0;
    this.#readAtMs = 0;
  }

  // --- inside: committing ---

  get #isCommitted(): boolean {
    return this.#ours.size === 1 && this.#ours.has(this.#handled);
  }

  get #hasToCommit(): boolean {
    return (
      this.#handled !== undefined &&
      !this.#isCommitted &&
      (this.#isLocated || this.#isStopping) &&
      this.#membership.generation !== undefined
    );
  }

  #commit(nowMs: number): Wanted {
    const { group, member, generation } = this.#membership;
    const where = this.#handled as bigint;
    const begun = generation as number;
    const waiters = this.#waiters;
    this.#waiters = [];
    this.#isCommitting = true;
    this.#ours.add(where);
    this.#commitAtMs = this.#isStopping ? 0 : nowMs + this.#options.commitIntervalMs;
    const committed = () => {
      this.#isCommitting = false;
      this.#commitBackoff.reset();
      this.#ours = new Set([where]);
      for (const waiter of waiters) waiter.resolve();
    };
    const failed = (error: FluxError, whenMs: number) => {
      this.#isCommitting = false;
      this.#waiters = [...waiters, ...this.#waiters];
      if (error.code === "GENERATION_MISMATCH") {
        this.#membership.lost(begun, error);
      } else {
        this.#commitAtMs = whenMs + this.#commitBackoff.nextMs();
        this.#failed(error);
      }
      if (this.#isAbandoned) this.abandon();
    };
    const { topic, partition } = this.tp;
    return wanted(commit(group, topic, member, begun, partition, where), committed, failed);
  }

  #refuseWaiters(message: string): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters)
      waiter.reject(new FluxError("GENERATION_MISMATCH", `${message}; nothing was committed`));
  }
}
