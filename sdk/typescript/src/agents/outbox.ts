import type { Call } from "../calls/call.js";
import { produce } from "../calls/records.js";
import type { Complete } from "../client/options.js";
import { Queue } from "../client/queue.js";
import { FluxError } from "../errors.js";
import type { Produced } from "../results.js";
import { buffer, toBytes } from "../wire/encoding.js";
import type { Content } from "../wire/records.js";
import { type Agent, type Wanted, wanted } from "./agent.js";
import { Backoff, type ProducerOptions } from "./options.js";

const OVERHEAD = 500; // bytes of the objects that remember a record
const LOOKED_THROUGH = 1000; // records that wait for their key, before the search for one that need not is given up

/** One record on its way. `key` is what must stay in order; undefined: nothing. */
interface Letter {
  readonly number: number;
  readonly call: Call<Produced>;
  readonly key: string | undefined;
  readonly size: number;
  readonly dueMs: number;
  readonly resolve: (produced: Produced) => void;
  readonly reject: (error: FluxError) => void;
  attempts: number;
  error: FluxError | undefined;
}

/** A batch under way. */
interface Journey {
  readonly letters: readonly Letter[];
  awaited: number;
}

/** Someone waits for all records below a number. */
interface Flush {
  readonly number: number;
  unsettled: number;
  readonly done: () => void;
}

/**
 * Records wait, travel in batches, and are settled: acknowledged or failed.
 *
 * A record is sent again only if it surely was not appended, and if no later one of its key may have been: it fails rather than
 * change places. For the same reason no two batches under way hold the same key.
 *
 * *Action*: {@link post}, {@link flush}. *Transitions*: by {@link wants} records leave, by their outcomes they are settled.
 */
export class Outbox implements Agent {
  isClosed = false;
  readonly #options: Complete<ProducerOptions>;
  readonly #backoff: Backoff;
  readonly #queue = new Queue<Letter>(); // not under way; in order of their numbers
  #added = 0;
  #settled = 0;
  #bytes = 0;
  #travelling = 0; // batches
  readonly #busy = new Set<string>(); // keys under way
  #isStuck = false; // all that was looked through waits for its key: another look would find nothing else
  #pausedUntilMs = 0;
  #lookedAtMs = 0;
  #hurried = 0; // records below this number do not linger
  #flushes: Flush[] = [];

  constructor(options: Complete<ProducerOptions>) {
    this.#options = options;
    this.#backoff = new Backoff(options.retryBackoffMs, 2 ** 30);
  }

  // --- the caller ---

  /** Whether a record of so many bytes would be accepted; into an empty outbox any is. */
  hasRoom(size: number): boolean {
    const count = this.#added - this.#settled;
    const { maxBuffered, maxBufferedBytes } = this.#options;
    return count === 0 || (count < maxBuffered && this.#bytes + size + OVERHEAD <= maxBufferedBytes);
  }

  /**
   * Have a record sent; those of one topic and key stay in order.
   *
   * @throws FluxError `THROTTLED`: there is no room for it; `CLIENT_CLOSED`: no more are accepted.
   */
  post(
    topic: string,
    key: Content,
    value: Content,
    timestampMs: number | bigint | undefined,
    nowMs: number,
    resolve: (produced: Produced) => void,
    reject: (error: FluxError) => void,
  ): void {
    const size = length(key) + length(value);
    if (this.isClosed) throw new FluxError("CLIENT_CLOSED", "the producer is closed; nothing was sent");
    if (!this.hasRoom(size)) {
      const count = this.#added - this.#settled;
      throw new FluxError("THROTTLED", `${count} records are not acknowledged yet; wait for room first`);
    }
    const order = key === null ? undefined : `${topic} ${toBytes(key)}`;
    this.#queue.push({
      number: this.#added,
      call: produce(topic, key, value, { acks: this.#options.acks, timestampMs }),
      key: order,
      size: size + OVERHEAD,
      dueMs: nowMs + this.#options.lingerMs,
      resolve,
      reject,
      attempts: 0,
      error: undefined,
    });
    this.#isStuck = this.#isStuck && order !== undefined && this.#busy.has(order);
    this.#added += 1;
    this.#bytes += size + OVERHEAD;
  }

  /** Let nothing linger, and call `done` once everything is settled that is not by now. */
  flush(done: () => void): void {
    this.#hurried = this.#added;
    const unsettled = this.#added - this.#settled;
    if (unsettled === 0) done();
    else this.#flushes.push({ number: this.#added, unsettled, done });
  }

  // --- the runner ---

  /** When the queue's first record has lingered, or the pause is over; undefined if something else has to happen first. */
  get wakeAtMs(): number | undefined {
    const { first } = this.#queue;
    if (first === undefined || this.#travelling >= this.#options.maxInFlight) return undefined;
    const whenMs = Math.max(this.#pausedUntilMs, this.#isHurried(first) ? 0 : first.dueMs);
    return whenMs > this.#lookedAtMs ? whenMs : undefined;
  }

  /** The records that leave now. */
  wants(nowMs: number): Wanted[] {
    this.#lookedAtMs = nowMs;
    const calls: Wanted[] = [];
    while (nowMs >= this.#pausedUntilMs && this.#travelling < this.#options.maxInFlight) {
      const letters = this.#takeBatch(nowMs);
      if (letters.length === 0) break;
      this.#travelling += 1;
      const journey: Journey = { letters, awaited: letters.length };
      for (const letter of letters) {
        const acknowledged = (produced: Produced, whenMs: number) => {
          this.#backoff.reset();
          this.#settle(letter, () => letter.resolve(produced));
          this.#arrived(journey, whenMs);
        };
        const failed = (error: FluxError, whenMs: number) => {
          letter.error = error;
          this.#arrived(journey, whenMs);
        };
        calls.push(wanted(letter.call, acknowledged, failed));
      }
    }
    return calls;
  }

  // --- inside ---

  #isHurried(first: Letter): boolean {
    return first.number < this.#hurried || first.attempts > 0 || this.#queue.length >= this.#options.batchSize;
  }

  #takeBatch(nowMs: number): Letter[] {
    const { first } = this.#queue;
    if (first === undefined || this.#isStuck || !(this.#isHurried(first) || nowMs >= first.dueMs)) return [];
    const batch: Letter[] = [];
    const kept: Letter[] = [];
    while (batch.length < this.#options.batchSize && kept.length < LOOKED_THROUGH) {
      const letter = this.#queue.shift();
      if (letter === undefined) break;
      if (letter.key !== undefined && this.#busy.has(letter.key)) kept.push(letter);
      else batch.push(letter);
    }
    if (kept.length > 0) this.#queue.replace([...kept, ...this.#queue.toArray()]);
    this.#isStuck = batch.length === 0;
    for (const letter of batch) {
      letter.attempts += 1;
      letter.error = undefined;
      if (letter.key !== undefined) this.#busy.add(letter.key);
    }
    return batch;
  }

  #arrived(journey: Journey, nowMs: number): void {
    journey.awaited -= 1;
    if (journey.awaited > 0) return;
    this.#travelling -= 1;
    this.#isStuck = false;
    for (const { key } of journey.letters) if (key !== undefined) this.#busy.delete(key);
    this.#lookBack(journey.letters, nowMs);
  }

  /** Every outcome of a batch is there: what failed is sent again or has failed for good. */
  #lookBack(letters: readonly Letter[], nowMs: number): void {
    const again: Letter[] = [];
    const passed = new Set<string>(); // keys of which a later record may have been appended
    for (const letter of [...letters].reverse()) {
      const { error, key } = letter;
      if (error !== undefined) {
        const mayChangePlaces = key === undefined || !passed.has(key);
        if (error.retriable && letter.attempts <= this.#options.maxRetries && mayChangePlaces) {
          again.push(letter);
          continue;
        }
        this.#settle(letter, () => letter.reject(error));
        if (error.retriable || error.code === "BAD_REQUEST" || error.code === "MESSAGE_TOO_LARGE") continue;
      }
      if (key !== undefined) passed.add(key);
    }
    if (again.length > 0) {
      this.#queue.replace([...again, ...this.#queue.toArray()].sort((one, other) => one.number - other.number));
      if (nowMs >= this.#pausedUntilMs) this.#pausedUntilMs = nowMs + this.#backoff.nextMs();
    }
  }

  #settle(letter: Letter, tell: () => void): void {
    this.#settled += 1;
    this.#bytes -= letter.size;
    tell();
    for (const flush of this.#flushes) {
      if (letter.number < flush.number) {
        flush.unsettled -= 1;
        if (flush.unsettled === 0) flush.done();
      }
    }
    if (this.#flushes.some((flush) => flush.unsettled === 0)) {
      this.#flushes = this.#flushes.filter((flush) => flush.unsettled > 0);
    }
  }
}

function length(content: Content): number {
  if (content === null) return 0;
  return typeof content === "string" ? Buffer.byteLength(content) : buffer(content).length;
}
