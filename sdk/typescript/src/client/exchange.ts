import type { Call } from "../calls/call.js";
import type { FluxError } from "../errors.js";
import type { Bytes } from "../wire/encoding.js";

const OVERHEAD = 200; // bytes of the line around the arguments, and of the objects that remember it

/** A call under way: until when it has time, and in the end its outcome, of which it tells once. */
export class Exchange<R> {
  readonly call: Call<R>;
  readonly deadlineMs: number;
  args: Bytes = "";
  sentAtMs = 0;
  /** From broker to broker, because one said that another leads. */
  moves = 0;
  isDone = false;
  readonly #resolve: (value: R) => void;
  readonly #reject: (error: FluxError) => void;

  constructor(
    call: Call<R>,
    deadlineMs: number,
    resolve: (value: R) => void = () => {},
    reject: (error: FluxError) => void = () => {},
  ) {
    this.call = call;
    this.deadlineMs = deadlineMs;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** About how many bytes it takes up, in memory and on the wire. */
  get size(): number {
    return this.args.length + OVERHEAD;
  }

  /** The broker answered. */
  succeed(value: R): void {
    if (!this.isDone) {
      this.isDone = true;
      this.#resolve(value);
    }
  }

  /** The broker refused, or there will be no answer. */
  fail(error: FluxError): void {
    if (!this.isDone) {
      this.isDone = true;
      this.#reject(error);
    }
  }

  /** Nobody wants to know any more. */
  forget(): void {
    this.isDone = true;
  }
}

/** An exchange, whatever its call is answered with. */
// biome-ignore lint/suspicious/noExplicitAny: only the call itself knows what it reads
export type AnyExchange = Exchange<any>;
