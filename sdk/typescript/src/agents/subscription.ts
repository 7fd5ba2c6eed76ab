import type { Complete } from "../client/options.js";
import { badRequest, FluxError } from "../errors.js";
import type { Message, TopicPartition } from "../results.js";
import { type Agent, earliest, type Wanted } from "./agent.js";
import { Feed } from "./feed.js";
import { Membership } from "./membership.js";
import type { ConsumerSettings } from "./options.js";

// Trying again would not help.
const FATAL: ReadonlySet<string> = new Set([
  "BAD_REQUEST",
  "CLIENT_CLOSED",
  "UNAUTHORIZED",
  "UNKNOWN_COMMAND",
  "UNKNOWN_TOPIC",
]);
const MOST_EVENTS = 1000; // not yet told; a handler that never returns must not fill memory with errors

/** What there is to be told: partitions are the consumer's, no longer are, or something failed and will be tried again. */
export type Event =
  | { readonly kind: "assigned" | "revoked"; readonly partitions: readonly TopicPartition[] }
  | { readonly kind: "survived"; readonly error: FluxError };

/** The next thing for a consumer to do. */
export type Item = { readonly kind: "message"; readonly message: Message } | Event;

/**
 * A consumer's decisions: its memberships, the partitions they give it, and the next message among them.
 *
 * *Action*: {@link next}, {@link handled}, {@link commit}, {@link seek}, {@link pause}, {@link resume}. *Transitions*: {@link add} a
 * topic; {@link close} commits what is handled, leaves, and is final; so is a failure that no repetition would mend.
 */
export class Subscription implements Agent {
  failure: FluxError | undefined;
  readonly #group: string;
  readonly #member: string;
  readonly #options: Complete<ConsumerSettings>;
  readonly #memberships = new Map<string, Membership>();
  readonly #feeds = new Map<string, Feed>();
  #turns: Feed[] = []; // whose message comes next
  #lent: { readonly message: Message; readonly feed: Feed; readonly jumps: number } | undefined;
  readonly #events: Event[] = [];
  #closeByMs: number | undefined;

  constructor(group: string, member: string, options: Complete<ConsumerSettings>) {
    this.#group = group;
    this.#member = member;
    this.#options = options;
  }

  // --- the consumer ---

  /** Become a member on these topics too. */
  add(topics: readonly string[]): void {
    for (const topic of topics) {
      if (this.#memberships.has(topic)) continue;
      const membership = new Membership(this.#group, topic, this.#member, this.#options, {
        assigned: (one, partitions) => this.#assigned(one, partitions),
        failed: (error) => this.#failed(error),
        ended: (error) => {
          this.failure ??= error;
        },
      });
      this.#memberships.set(topic, membership);
    }
  }

  /**
   * What is to be told next, or else the next message; undefined if nothing is at hand. Partitions take turns.
   *
   * One message is out at a time: the one before is either {@link handled} by now, or counts as never handed out.
   */
  next(nowMs: number): Item | undefined {
    const event = this.#events.shift();
    if (event !== undefined) return event;
    for (let count = this.#turns.length; count > 0; count -= 1) {
      const feed = this.#turns.shift() as Feed;
      this.#turns.push(feed);
      if (!feed.hasMessages(nowMs)) continue;
      const message = feed.take() as Message;
      this.#lent = { message, feed, jumps: feed.jumps };
      return { kind: "message", message };
    }
    return undefined;
  }

  /** The message that is out need not be read again; unless its partition is another's now, or went elsewhere. */
  handled(): void {
    const lent = this.#lent;
    this.#lent = undefined;
    if (lent === undefined || !this.#options.autoCommit) return;
    const { message, feed, jumps } = lent;
    if (this.#feeds.get(nameOf(feed.tp)) === feed && feed.jumps === jumps) feed.handled(message);
  }

  /** Have the group go on behind a message. Told when that is durable, or why it is not. */
  commit(message: Message, resolve: () => void, reject: (error: FluxError) => void): void {
    const feed = this.#feeds.get(nameOf(message));
    if (feed !== undefined) feed.commit(message.offset + 1n, resolve, reject);
    else reject(new FluxError("GENERATION_MISMATCH", `${this.#notOurs(message)}; nothing was committed`));
  }

  /** Whether {@link next} has something, or never will. */
  hasNews(nowMs: number): boolean {
    return this.#events.length > 0 || this.failure !== undefined || this.#turns.some((feed) => feed.hasMessages(nowMs));
  }

  /** The partitions that are the consumer's, in order. */
  get assignment(): TopicPartition[] {
    return [...this.#feeds.values()].map((feed) => feed.tp).sort(inOrder);
  }

  /** The offset of the next message of a partition; undefined as long as nobody knows. @throws FluxError it is not ours. */
  position(topic: string, partition: number): bigint | undefined {
    return this.#feed(topic, partition).position;
  }

  /** Go on there. @throws FluxError it is not ours. */
  seek(topic: string, partition: number, offset: bigint): void {
    if (offset < 0n) throw badRequest(`offset: ${offset} is below 0; use seek to where a record may be`);
    this.#feed(topic, partition).seek(offset);
  }

  /** Hand out nothing from there. @throws FluxError it is not ours. */
  pause(topic: string, partition: number): void {
    this.#feed(topic, partition).pause();
  }

  /** Go on there. @throws FluxError it is not ours. */
  resume(topic: string, partition: number): void {
    this.#feed(topic, partition).resume();
  }

  /** Hand out no more, commit what is handled, leave; after `byMs` the rest is left to the session's end. */
  close(byMs: number): void {
    if (this.#closeByMs !== undefined) return;
    this.#closeByMs = byMs;
    for (const feed of this.#feeds.values()) feed.stop();
  }

  /** Whether nothing more is wanted. */
  isOver(nowMs: number): boolean {
    if (this.#closeByMs === undefined) return false;
    return nowMs >= this.#closeByMs || [...this.#memberships.values()].every((membership) => membership.hasLeft);
  }

  /** Nothing is ours, and nothing will be committed any more. */
  abandon(): void {
    for (const feed of this.#feeds.values()) feed.abandon();
    this.#feeds.clear();
    this.#turns = [];
  }

  // --- the runner ---

  /** When something is wanted next, if nothing happens before. */
  get wakeAtMs(): number | undefined {
    if (this.#isAtItsEnd) return undefined;
    const parts = [...this.#memberships.values(), ...this.#feeds.values()];
    return earliest(this.#closeByMs, ...parts.map((part) => part.wakeAtMs));
  }

  /** Signs of life, commits, and more messages. */
  wants(nowMs: number): Wanted[] {
    if (this.#isAtItsEnd) return [];
    const memberships = [...this.#memberships.values()];
    const feeds = [...this.#feeds.values()];
    if (this.#closeByMs !== undefined && feeds.every((feed) => feed.isSettled)) {
      for (const membership of memberships) membership.leave();
    }
    return [...memberships, ...feeds].flatMap((part) => part.wants(nowMs));
  }

  // --- inside ---

  get #isAtItsEnd(): boolean {
    return this.failure !== undefined && this.#closeByMs === undefined;
  }

  #feed(topic: string, partition: number): Feed {
    const feed = this.#feeds.get(nameOf({ topic, partition }));
    if (feed === undefined) throw badRequest(this.#notOurs({ topic, partition }));
    return feed;
  }

  #notOurs(tp: TopicPartition): string {
    const owned = this.assignment.map((each) => `${each.topic}-${each.partition}`).join(", ") || "none";
    return `partition: ${tp.topic}-${tp.partition} is not this consumer's; those are: ${owned}`;
  }

  #assigned(membership: Membership, partitions: readonly number[]): void {
    const { topic } = membership;
    const revoked: TopicPartition[] = [];
    for (const [name, feed] of this.#feeds) {
      if (feed.tp.topic !== topic) continue;
      if (partitions.includes(feed.tp.partition)) {
        feed.doubt();
      } else {
        this.#feeds.delete(name);
        feed.abandon();
        revoked.push(feed.tp);
      }
    }
    const assigned: TopicPartition[] = [];
    for (const partition of partitions) {
      const tp = { topic, partition };
      if (this.#feeds.has(nameOf(tp))) continue;
      assigned.push(tp);
      if (this.#closeByMs === undefined) {
        this.#feeds.set(nameOf(tp), new Feed(tp, membership, this.#options, (error) => this.#failed(error)));
      }
    }
    this.#turns = [...this.#feeds.values()];
    if (revoked.length > 0) this.#events.push({ kind: "revoked", partitions: revoked.sort(inOrder) });
    if (assigned.length > 0) this.#events.push({ kind: "assigned", partitions: assigned.sort(inOrder) });
  }

  #failed(error: FluxError): void {
    const isOut = error.code === "OFFSET_OUT_OF_RANGE" && this.#options.autoOffsetReset === "error";
    if (isOut || FATAL.has(error.code)) this.failure ??= error;
    else if (this.#events.length < MOST_EVENTS) this.#events.push({ kind: "survived", error });
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}

function inOrder(one: TopicPartition, other: TopicPartition): number {
  if (one.topic !== other.topic) return one.topic < other.topic ? -1 : 1;
  return one.partition - other.partition;
}
