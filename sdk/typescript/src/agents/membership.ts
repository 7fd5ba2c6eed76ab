import { heartbeat, join, leave } from "../calls/groups.js";
import type { Complete } from "../client/options.js";
import type { FluxError } from "../errors.js";
import type { Assigned } from "../results.js";
import { type Wanted, wanted } from "./agent.js";
import { Backoff, type ConsumerSettings } from "./options.js";

/** Who is told what comes of a membership. */
export interface MembershipEvents {
  /** It owns these partitions of its topic. */
  assigned(membership: Membership, partitions: readonly number[]): void;
  /** Something went wrong, and is tried again. */
  failed(error: FluxError): void;
  /** Its generation is over, and it does not join again. */
  ended(error: FluxError): void;
}

/**
 * One consumer's membership in a group on one topic: join, stay, join again, leave.
 *
 * A member with its generation, or on its way to one. *Transitions*: joined, and told so; a generation that is over means to join
 * again, at once; {@link leave} is final.
 */
export class Membership {
  readonly group: string;
  readonly topic: string;
  readonly member: string;
  generation: number | undefined;
  hasLeft = false;
  readonly #options: Complete<ConsumerSettings>;
  readonly #events: MembershipEvents;
  readonly #backoff: Backoff;
  #isAsking = false;
  #isLeaving = false;
  #dueMs = 0;
  #askedAtMs = 0;
  #aliveUntilMs = 0; // from when a sign was sent that the broker is known to have heard

  constructor(
    group: string,
    topic: string,
    member: string,
    options: Complete<ConsumerSettings>,
    events: MembershipEvents,
  ) {
    this.group = group;
    this.topic = topic;
    this.member = member;
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(options.retryBackoffMs, options.maxRetryBackoffMs);
  }

  /** Whether what the member owns is surely its own: neither its generation nor, whether it was told or not, its session is over. */
  isAlive(nowMs: number): boolean {
    return this.generation !== undefined && nowMs < this.#aliveUntilMs;
  }

  /** When it wants something next. */
  get wakeAtMs(): number | undefined {
    return this.#isAsking || this.hasLeft ? undefined : this.#dueMs;
  }

  /** A sign of life, or what it takes to be allowed to give one. */
  wants(nowMs: number): Wanted[] {
    if (this.#isAsking || this.hasLeft || nowMs < this.#dueMs) return [];
    const { generation, group, topic, member } = this;
    if (generation === undefined && this.#isLeaving) {
      this.hasLeft = true;
      return [];
    }
    this.#isAsking = true;
    this.#askedAtMs = nowMs;
    if (generation === undefined) {
      const { assignor, sessionTimeoutMs } = this.#options;
      const call = join(group, topic, member, { assignor, sessionMs: sessionTimeoutMs });
      return [wanted(call, this.#joined, this.#tryAgain)];
    }
    if (this.#isLeaving) return [wanted(leave(group, topic, member, generation), this.#left, this.#left)];
    return [wanted(heartbeat(group, topic, member, generation), this.#heard, this.#notHeard)];
  }

  /** Go, as soon as nothing is under way. */
  leave(): void {
    this.#isLeaving = true;
    this.#dueMs = 0;
  }

  /** A generation is over, as somebody was told. */
  lost(generation: number, error: FluxError): void {
    if (this.generation === generation) this.#lost(error);
  }

  readonly #joined = (answer: Assigned, nowMs: number) => {
    this.#isAsking = false;
    this.generation = answer.generation;
    this.#wasHeard(nowMs);
    this.#events.assigned(this, answer.partitions);
  };

  readonly #heard = (_: unknown, nowMs: number) => {
    this.#isAsking = false;
    if (this.generation === undefined)
      this.#dueMs = 0; // somebody was told meanwhile that it is over
    else this.#wasHeard(nowMs);
  };

  readonly #notHeard = (error: FluxError, nowMs: number) => {
    if (this.generation !== undefined && error.code !== "GENERATION_MISMATCH") {
      this.#tryAgain(error, nowMs);
      return;
    }
    this.#isAsking = false;
    this.#lost(error);
  };

  readonly #left = () => {
    this.#isAsking = false; // if it failed, the session expires
    this.hasLeft = true;
  };

  readonly #tryAgain = (error: FluxError, nowMs: number) => {
    this.#isAsking = false;
    this.#dueMs = this.#isLeaving ? 0 : nowMs + this.#backoff.nextMs();
    this.#events.failed(error);
  };

  #wasHeard(nowMs: number): void {
    this.#backoff.reset();
    this.#aliveUntilMs = this.#askedAtMs + this.#options.sessionTimeoutMs;
    this.#dueMs = this.#isLeaving ? 0 : nowMs + this.#options.heartbeatIntervalMs;
  }

  #lost(error: FluxError): void {
    this.generation = undefined;
    this.#dueMs = 0;
    if (!this.#options.autoRejoin && !this.#isLeaving) this.#events.ended(error);
  }
}
