import { hello } from "../calls/records.js";
import { FluxError } from "../errors.js";
import type { Welcome } from "../results.js";
import { VERSION } from "../version.js";
import { type Bytes, fromBytes } from "../wire/encoding.js";
import { NO_ID, parseReply, type Reply, requestLine } from "../wire/frame.js";
import type { Address } from "./addresses.js";
import { type AnyExchange, Exchange } from "./exchange.js";
import type { ClientOptions, Complete } from "./options.js";

const SMALLEST_LIMIT = 1 << 20; // of a line, as long as the broker has not said its own

/**
 * What is said on one connection: request lines out, reply lines in, matched by correlation id.
 *
 * *Action*: {@link write} a request, {@link takeOutgoing} what is to be sent, {@link read} what came.
 */
export class Conversation {
  readonly address: Address;
  /** How far it is; greeting: connected, HELLO is asked and not yet answered. */
  stage: "dialling" | "greeting" | "open" = "dialling";
  /** For being open. */
  readonly deadlineMs: number;
  heardAtMs = 0;
  /** In the order in which they were written. */
  readonly unanswered = new Map<Bytes, AnyExchange>();
  readonly #options: Complete<ClientOptions>;
  #maxLineBytes = SMALLEST_LIMIT;
  #unansweredBytes = 0;
  #greeting: Exchange<Welcome> | undefined;
  #nextId = 1;
  #out: Bytes[] = [];
  #begun: Uint8Array[] = []; // a reply line without its end, in pieces: joined once
  #begunBytes = 0;

  constructor(address: Address, deadlineMs: number, options: Complete<ClientOptions>) {
    this.address = address;
    this.deadlineMs = deadlineMs;
    this.#options = options;
  }

  /** Whether anybody still waits for an answer on this connection. */
  get hasLive(): boolean {
    for (const exchange of this.unanswered.values()) if (!exchange.isDone) return true;
    return false;
  }

  /** Begin with HELLO, to see that a broker is there and to learn what it takes. */
  greet(nowMs: number): void {
    this.stage = "greeting";
    this.#greeting = new Exchange(hello(`flux-typescript/${VERSION}`), this.deadlineMs);
    this.#greeting.args = this.#greeting.call.encode();
    this.write(this.#greeting, nowMs);
    this.#greeting.forget(); // what becomes of it becomes of the connection
  }

  /** Whether an exchange may be in flight too; a single one always may. */
  hasRoom(exchange: AnyExchange): boolean {
    const { maxInFlight, maxInFlightBytes } = this.#options;
    const count = this.unanswered.size;
    return count === 0 || (count < maxInFlight && this.#unansweredBytes + exchange.size <= maxInFlightBytes);
  }

  /** Have it sent; one that is too long for the broker fails here, and the connection lives. */
  write(exchange: AnyExchange, nowMs: number): void {
    const id = String(this.#nextId);
    let line: Bytes;
    try {
      line = requestLine(id, exchange.call.command, exchange.args);
    } catch (error) {
      exchange.fail(error as FluxError);
      return;
    }
    const length = line.length - 1;
    if (length > this.#maxLineBytes) {
      const message =
        `request: ${length} bytes, and broker ${this.address} takes lines of ${this.#maxLineBytes};` +
        " nothing was sent; send less at once, or raise the broker's max_line_bytes";
      exchange.fail(new FluxError("MESSAGE_TOO_LARGE", message));
      return;
    }
    this.#nextId += 1;
    exchange.sentAtMs = nowMs;
    this.unanswered.set(id, exchange);
    this.#unansweredBytes += exchange.size;
    this.#out.push(line);
  }

  /** What is to be sent now, and has not been taken before; undefined if there is nothing. */
  takeOutgoing(): Uint8Array | undefined {
    if (this.#out.length === 0) return undefined;
    const out = fromBytes(this.#out.join(""));
    this.#out = [];
    return out;
  }

  /**
   * The answers that are complete, each with what it answers.
   *
   * @throws FluxError `BAD_REPLY`: this is not what a broker says, or it does not welcome us; the connection is of no more use.
   */
  *read(data: Uint8Array, nowMs: number): Generator<[AnyExchange, Reply]> {
    this.heardAtMs = nowMs;
    const end = data.lastIndexOf(0x0a);
    if (end >= 0) {
      const lines = Buffer.concat([...this.#begun, data.subarray(0, end)]).toString("latin1");
      this.#begun = [];
      this.#begunBytes = 0;
      for (const line of lines.split("\n")) {
        const [exchange, reply] = this.#match(line);
        if (exchange === this.#greeting) this.#greeted(this.#greeting, reply);
        else yield [exchange, reply];
      }
    }
    if (end + 1 < data.length) {
      this.#begun.push(data.subarray(end + 1));
      this.#begunBytes += data.length - end - 1;
    }
    if (this.#begunBytes > this.#options.maxReplyBytes) {
      throw new FluxError(
        "BAD_REPLY",
        `reply: longer than ${this.#options.maxReplyBytes} bytes, which is maxReplyBytes; ask for less`,
      );
    }
  }

  #match(line: Bytes): [AnyExchange, Reply] {
    let reply: Reply;
    try {
      reply = parseReply(line);
    } catch (error) {
      const { message } = error as Error;
      throw new FluxError("BAD_REPLY", `${message}; is ${this.address} a broker that speaks V1?`);
    }
    const id = reply.id === NO_ID && !reply.ok ? this.#oldest() : reply.id;
    const exchange = this.unanswered.get(id);
    if (exchange === undefined) {
      throw new FluxError("BAD_REPLY", `reply: ${JSON.stringify(id)} was not asked, yet ${this.address} answers it`);
    }
    this.unanswered.delete(id);
    this.#unansweredBytes -= exchange.size;
    return [exchange, reply];
  }

  /** Whose line the broker could not read at all. It answers in order, all but long polls, so it was the oldest of the others. */
  #oldest(): Bytes {
    let first: Bytes | undefined;
    for (const [id, exchange] of this.unanswered) {
      if (!exchange.call.overtakable) return id;
      first ??= id;
    }
    return first ?? NO_ID;
  }

  #greeted(greeting: Exchange<Welcome>, reply: Reply): void {
    if (!reply.ok) throw new FluxError("BAD_REPLY", `${reply.code}: ${reply.message}`);
    try {
      this.#maxLineBytes = greeting.call.read(reply.payload).maxLine;
    } catch (error) {
      throw new FluxError("BAD_REPLY", (error as Error).message);
    }
    this.stage = "open";
  }
}
