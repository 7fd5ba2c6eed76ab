/**
 * What a client does, without doing it: which broker, which bytes, until when, and with what outcome.
 *
 * Whoever owns the socket and the clock tells the core what happens, and then does what it wants: have the connection that
 * `conversation` says (another one than before, or none, means to hang up), write what {@link Core.takeOutgoing} returns, and call
 * {@link Core.tick} at `wakeAtMs`.
 */

import type { Call } from "../calls/call.js";
import { FluxError } from "../errors.js";
import type { Reply } from "../wire/frame.js";
import { leaderAddress, Rotation } from "./addresses.js";
import { Backlog } from "./backlog.js";
import { Conversation } from "./conversation.js";
import { type AnyExchange, Exchange } from "./exchange.js";
import type { ClientOptions, Complete } from "./options.js";

const MOST_MOVES = 5; // of one call; brokers that send it in circles get it back as an error
const TICK_MS = 10; // the grain of timeouts, since every tick looks at all calls

/**
 * Calls wait, are sent in the order they were asked, and get their outcome, over as many connections as it takes.
 *
 * What was sent is never sent again, unless the broker answered that it did nothing and that another one should be asked.
 *
 * *Action*: {@link ask}, {@link giveUp}. *Transitions*: {@link connected}, {@link received}, {@link lost}, {@link tick};
 * {@link close} is final.
 */
export class Core {
  conversation: Conversation | undefined;
  wakeAtMs: number | undefined;
  isClosed = false;
  readonly #options: Complete<ClientOptions>;
  readonly #rotation: Rotation;
  readonly #backlog: Backlog;
  #failures: string[] = []; // of this round of dialling, broker by broker
  #isLeaving = false; // another broker is to be asked as soon as nothing is awaited from this one

  /** @throws TypeError the list of brokers cannot be read. */
  constructor(options: Complete<ClientOptions>) {
    this.#options = options;
    this.#rotation = new Rotation(options.brokers);
    this.#backlog = new Backlog(options);
  }

  // --- what the caller wants ---

  /** Send a call when it is its turn. It may be finished at once. */
  ask<R>(call: Call<R>, nowMs: number, resolve?: (value: R) => void, reject?: (error: FluxError) => void): Exchange<R> {
    const timeoutMs = call.options.timeoutMs ?? this.#options.timeoutMs;
    const exchange = new Exchange(call, nowMs + timeoutMs + call.waitMs, resolve, reject);
    try {
      exchange.args = call.encode();
    } catch (error) {
      exchange.fail(error as FluxError);
      return exchange;
    }
    if (this.isClosed) {
      exchange.fail(new FluxError("CLIENT_CLOSED", `${call.command}: the client is closed; nothing was sent`));
    } else if (!this.#backlog.accepts(exchange)) {
      const message = `${call.command}: ${this.#backlog.length} calls wait already; nothing was sent, await some first`;
      exchange.fail(new FluxError("THROTTLED", message));
    } else {
      this.#backlog.add(exchange);
      this.#wakeBy(exchange.deadlineMs);
      this.#advance(nowMs);
    }
    return exchange;
  }

  /** Nobody waits for it any more: it is not sent, or its answer is dropped. */
  giveUp(exchange: AnyExchange, nowMs: number): void {
    if (exchange.isDone) return;
    exchange.forget();
    this.#backlog.remove(exchange);
    this.#advance(nowMs);
  }

  /** Be done with everything: what is sent has an unknown outcome, what is not will not be sent. */
  close(): void {
    const { conversation } = this;
    this.isClosed = true;
    this.conversation = undefined;
    this.wakeAtMs = undefined;
    if (conversation !== undefined) abandon(conversation, "the client was closed");
    for (const exchange of this.#backlog.removeIf(() => true)) {
      exchange.fail(
        new FluxError("CLIENT_CLOSED", `${exchange.call.command}: the client was closed before it was sent`),
      );
    }
  }

  // --- what happens to the connection ---

  /** It was dialled successfully: greet. */
  connected(conversation: Conversation, nowMs: number): void {
    if (conversation === this.conversation) conversation.greet(nowMs);
  }

  /** Bytes arrived on it. */
  received(conversation: Conversation, data: Uint8Array, nowMs: number): void {
    if (conversation !== this.conversation) return;
    const wasOpen = conversation.stage === "open";
    try {
      for (const [exchange, reply] of conversation.read(data, nowMs)) this.#answered(conversation, exchange, reply);
      if (!wasOpen && conversation.stage === "open") this.#rotation.prefer(conversation.address);
    } catch (error) {
      if (!(error instanceof FluxError)) throw error;
      this.#hangUp(conversation, error.message, nowMs);
    }
    this.#advance(nowMs);
  }

  /** It could not be dialled, or has ended. */
  lost(conversation: Conversation, reason: string, nowMs: number): void {
    if (conversation !== this.conversation) return;
    this.#hangUp(conversation, reason, nowMs);
    this.#advance(nowMs);
  }

  // --- time ---

  /** Time has passed: give up what takes too long. */
  tick(nowMs: number): void {
    if (this.wakeAtMs === undefined || nowMs < this.wakeAtMs) return;
    this.wakeAtMs = undefined;
    if (this.conversation !== undefined) this.#expireSent(this.conversation, nowMs);
    this.#expireWaiting(nowMs);
    const wakeAtMs = this.wakeAtMs as number | undefined;
    if (wakeAtMs !== undefined) this.wakeAtMs = Math.max(wakeAtMs, nowMs + TICK_MS);
    this.#advance(nowMs);
  }

  // --- what is to be done ---

  /** Bytes to write to the connection, each once. */
  takeOutgoing(): Uint8Array | undefined {
    return this.conversation?.takeOutgoing();
  }

  // --- inside: connections ---

  #advance(nowMs: number): void {
    const { conversation } = this;
    const backlog = this.#backlog;
    if (conversation === undefined) {
      if (backlog.length > 0) {
        this.#rotation.begin();
        this.#failures = [];
        this.#dial(nowMs);
      }
    } else if (conversation.stage !== "open") {
      // It is on its way.
    } else if (this.#isLeaving) {
      if (!conversation.hasLive) {
        this.conversation = undefined;
        this.#isLeaving = false;
        this.#advance(nowMs);
      }
    } else if (backlog.length > 0) {
      if (conversation.unanswered.size === 0 && nowMs - conversation.heardAtMs > this.#options.maxIdleMs) {
        // The broker may be closing it for idleness just now; what was sent then would be neither done nor refused.
        this.conversation = undefined;
        this.#advance(nowMs);
        return;
      }
      for (let next = backlog.first; next !== undefined && conversation.hasRoom(next); next = backlog.first) {
        backlog.take();
        conversation.write(next, nowMs);
      }
    }
  }

  /** The next broker of this round, if anybody wants one; at its end there is none for whoever waits. */
  #dial(nowMs: number): void {
    const address = this.#backlog.length > 0 ? this.#rotation.next() : undefined;
    if (address === undefined) {
      const reason = `no broker could be reached; ${this.#failures.join("; ")}`;
      for (const exchange of this.#backlog.removeIf(() => true)) exchange.fail(new FluxError("NO_BROKER", reason));
      return;
    }
    const deadlineMs = nowMs + this.#options.connectTimeoutMs;
    this.conversation = new Conversation(address, deadlineMs, this.#options);
    this.#wakeBy(deadlineMs);
  }

  /** This connection is of no use any more. */
  #hangUp(conversation: Conversation, reason: string, nowMs: number): void {
    this.conversation = undefined;
    abandon(conversation, reason);
    if (conversation.stage === "open") {
      this.#isLeaving = false;
      this.#rotation.avoid(conversation.address);
    } else {
      this.#failures.push(`${conversation.address}: ${reason}`);
      this.#dial(nowMs);
    }
  }

  // --- inside: calls ---

  #answered(conversation: Conversation, exchange: AnyExchange, reply: Reply): void {
    if (exchange.isDone) return; // too late
    if (!reply.ok) {
      const refusal = new FluxError(reply.code, reply.message);
      if (!this.#askAnother(conversation, exchange, refusal)) exchange.fail(refusal);
      return;
    }
    let answer: unknown;
    try {
      answer = exchange.call.read(reply.payload);
    } catch (error) {
      const { command } = exchange.call;
      exchange.fail(new FluxError("BAD_REPLY", `${command}: the answer cannot be read; ${(error as Error).message}`));
      return;
    }
    exchange.succeed(answer);
  }

  /** Whether an error says that nothing was done and another broker may do it, and there is one: then it will be asked. */
  #askAnother(conversation: Conversation, exchange: AnyExchange, error: FluxError): boolean {
    if (error.code !== "NOT_LEADER" && error.code !== "SHUTTING_DOWN") return false;
    const leader = leaderAddress(error.message);
    const others = leader ? MOST_MOVES : Math.min(this.#rotation.size - 1, MOST_MOVES);
    if (String(leader) === String(conversation.address) || exchange.moves >= others) return false;
    exchange.moves += 1;
    this.#backlog.putBack(exchange);
    if (!this.#isLeaving) {
      this.#isLeaving = true;
      this.#rotation.avoid(conversation.address);
      if (leader !== undefined) this.#rotation.prefer(leader);
    }
    return true;
  }

  #expireSent(conversation: Conversation, nowMs: number): void {
    if (conversation.stage !== "open") {
      if (nowMs >= conversation.deadlineMs) {
        this.#hangUp(conversation, `no answer within ${this.#options.connectTimeoutMs / 1000} s`, nowMs);
      } else {
        this.#wakeBy(conversation.deadlineMs);
      }
      return;
    }
    let oldest: AnyExchange | undefined;
    for (const exchange of conversation.unanswered.values()) {
      oldest ??= exchange;
      if (exchange.isDone) continue;
      if (nowMs >= exchange.deadlineMs) exchange.fail(unknown(conversation, exchange, "no answer came in time"));
      else this.#wakeBy(exchange.deadlineMs);
    }
    if (oldest !== undefined) {
      // A late answer costs its own call only. But no answer at all, for so long, is a connection that leads nowhere.
      const patienceMs = Math.max(this.#options.timeoutMs, oldest.call.options.timeoutMs ?? 0) + oldest.call.waitMs;
      const silentSinceMs = Math.max(conversation.heardAtMs, oldest.sentAtMs);
      if (nowMs >= silentSinceMs + patienceMs) {
        const silentS = ((nowMs - silentSinceMs) / 1000).toFixed(1);
        this.#hangUp(conversation, `nothing was heard for ${silentS} s`, nowMs);
      } else {
        this.#wakeBy(silentSinceMs + patienceMs);
      }
    }
  }

  #expireWaiting(nowMs: number): void {
    for (const exchange of this.#backlog.removeIf((each) => nowMs >= each.deadlineMs)) {
      exchange.fail(new FluxError("NOT_SENT", `${exchange.call.command}: not sent in time, ${this.#obstacle()}`));
    }
    const earliestMs = this.#backlog.earliestDeadlineMs();
    if (earliestMs !== undefined) this.#wakeBy(earliestMs);
  }

  /** Why calls wait. */
  #obstacle(): string {
    const { conversation } = this;
    if (conversation === undefined) return "there was no connection";
    if (conversation.stage === "open") return `${conversation.unanswered.size} others were not answered yet`;
    return [...this.#failures, `${conversation.address}: still connecting`].join("; ");
  }

  #wakeBy(whenMs: number): void {
    if (this.wakeAtMs === undefined || whenMs < this.wakeAtMs) this.wakeAtMs = whenMs;
  }
}

function abandon(conversation: Conversation, reason: string): void {
  for (const exchange of conversation.unanswered.values()) exchange.fail(unknown(conversation, exchange, reason));
}

function unknown(conversation: Conversation, exchange: AnyExchange, reason: string): FluxError {
  const { command } = exchange.call;
  return new FluxError(
    "OUTCOME_UNKNOWN",
    `${command}: it may have been executed by ${conversation.address}: ${reason}`,
  );
}
