import { type Call, type CallOptions, raw } from "../calls/call.js";
import type { FluxError } from "../errors.js";
import type { Welcome } from "../results.js";
import type { Payload } from "../wire/payload.js";
import { Commands } from "./commands.js";
import { Connection, type Events } from "./connection.js";
import type { Conversation } from "./conversation.js";
import { Core } from "./core.js";
import { CLIENT_DEFAULTS, type ClientOptions, complete } from "./options.js";

/**
 * Talks to a list of brokers, one at a time.
 *
 * It connects when there is something to send, and goes on with another broker when one is lost, stops, or does not lead. Calls are
 * sent in the order in which they are made, over one connection, without waiting for each other. A request that may have been
 * executed is never repeated: it fails with `OUTCOME_UNKNOWN`.
 *
 * ```ts
 * const client = new FluxClient({ brokers: "127.0.0.1:9092" });
 * const { partition, offset } = await client.produce("orders", "user1", "created", { acks: "all" });
 * for (const message of await client.consume("orders", partition, offset)) console.log(message.text);
 * await client.close();
 * ```
 */
export class FluxClient extends Commands {
  readonly #core: Core;
  readonly #connections: Connection[] = []; // the last is in use, if any is; the others are being hung up
  #conversation: Conversation | undefined; // the one there is a connection for
  #timer: { readonly id: NodeJS.Timeout; readonly whenMs: number } | undefined;
  #isDue = false;

  /** @throws TypeError the list of brokers cannot be read. */
  constructor(options: ClientOptions = {}) {
    super();
    this.#core = new Core(complete(options, CLIENT_DEFAULTS));
  }

  /** Connect; who answers. `NO_BROKER`: nobody does, at any of the addresses. Not needed: the first call connects too. */
  connect(options?: CallOptions): Promise<Welcome> {
    return this.hello(undefined, options);
  }

  /** Hang up; fulfilled when nothing is left. A call that is not answered by now fails. */
  async close(): Promise<void> {
    this.#core.close();
    this.#follow();
    await Promise.all(this.#connections.map((connection) => connection.gone));
  }

  /** Send any command, such as a plugin's, with arguments as they stand on the line. */
  sendCommand(command: string, args?: string | Uint8Array, options?: CallOptions): Promise<Payload> {
    return this.send(raw(command, args, options));
  }

  /** @internal */
  override send<R>(call: Call<R>): Promise<R> {
    const { signal } = call.options;
    return signal === undefined
      ? new Promise((resolve, reject) => this.#ask(call, resolve, reject))
      : this.#sendUntil(signal, call);
  }

  async #sendUntil<R>(signal: AbortSignal, call: Call<R>): Promise<R> {
    signal.throwIfAborted();
    let abort = () => {};
    const answered = new Promise<R>((resolve, reject) => {
      abort = () => {
        this.#core.giveUp(exchange, now());
        this.#followSoon();
        reject(signal.reason);
      };
      const exchange = this.#ask(call, resolve, reject);
      signal.addEventListener("abort", abort);
    });
    try {
      return await answered;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #ask<R>(call: Call<R>, resolve: (value: R) => void, reject: (error: FluxError) => void) {
    const exchange = this.#core.ask(call, now(), resolve, reject);
    this.#followSoon();
    return exchange;
  }

  // --- what happens ---

  readonly #events: Events = {
    connected: (conversation) => {
      this.#core.connected(conversation, now());
      this.#follow();
    },
    received: (conversation, data) => {
      this.#core.received(conversation, data, now());
      this.#follow();
    },
    drained: () => this.#follow(),
    lost: (conversation, reason) => {
      const at = this.#connections.findIndex((each) => each.conversation === conversation);
      if (at >= 0) this.#connections.splice(at, 1);
      this.#core.lost(conversation, reason, now());
      this.#follow();
    },
  };

  readonly #tick = () => {
    this.#timer = undefined;
    this.#core.tick(now());
    this.#follow();
  };

  // --- what the core wants ---

  /** Once, however many calls are made until then: they leave together. */
  #followSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.#follow());
  }

  #follow(): void {
    this.#isDue = false;
    const { conversation } = this.#core;
    if (this.#conversation !== conversation) {
      this.#conversation = conversation;
      for (const connection of this.#connections) connection.hangUp();
      if (conversation !== undefined) this.#connections.push(new Connection(conversation, this.#events));
    }
    const connection = this.#connections.at(-1);
    if (connection !== undefined && connection.conversation === conversation && !connection.isFull) {
      const outgoing = this.#core.takeOutgoing();
      if (outgoing !== undefined) connection.write(outgoing);
    }
    this.#setTimer();
  }

  /** Be woken in time. Being woken early does no harm; setting the timer anew for every call would. */
  #setTimer(): void {
    const whenMs = this.#core.wakeAtMs;
    const timer = this.#timer;
    if (timer !== undefined && (this.#core.isClosed || (whenMs !== undefined && whenMs < timer.whenMs))) {
      clearTimeout(timer.id);
      this.#timer = undefined;
    }
    if (this.#timer === undefined && whenMs !== undefined) {
      const delayMs = Math.max(0, Math.ceil(whenMs - now()));
      this.#timer = { id: setTimeout(this.#tick, Math.min(delayMs, LONGEST_TIMER_MS)), whenMs };
    }
  }
}

const LONGEST_TIMER_MS = 2 ** 31 - 1; // a longer one would fire at once

/** A clock that nobody sets. */
function now(): number {
  return performance.now();
}
