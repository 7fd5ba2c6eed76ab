import type { Agent } from "../agents/agent.js";
import type { Call } from "../calls/call.js";
import { FluxError } from "../errors.js";

/** What a runner needs of a client. */
export interface Sender {
  send<R>(call: Call<R>): Promise<R>;
}

/** Does what an agent wants; calls `changed` whenever something may have come of it. */
export class Runner {
  readonly #sender: Sender;
  readonly #agent: Agent;
  readonly #changed: () => void;
  #timer: { readonly id: NodeJS.Timeout; readonly whenMs: number } | undefined;
  #isDue = false;
  #isStopped = false;

  constructor(sender: Sender, agent: Agent, changed: () => void) {
    this.#sender = sender;
    this.#agent = agent;
    this.#changed = changed;
  }

  /** See what is wanted now. */
  prod(): void {
    this.#isDue = false;
    if (this.#isStopped) return;
    for (const { call, then, failed } of this.#agent.wants(performance.now())) {
      this.#sender.send(call).then(
        (answer) => this.#told(() => then(answer, performance.now())),
        (error: unknown) => this.#told(() => failed(asFluxError(error), performance.now())),
      );
    }
    this.#changed();
    this.#setTimer();
  }

  /** See soon; once for all that happens until then. */
  prodSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.prod());
  }

  /** Want nothing more. */
  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer?.id);
    this.#timer = undefined;
  }

  #told(tell: () => void): void {
    tell();
    this.prodSoon();
  }

  /** Be woken in time; being woken early does no harm. */
  #setTimer(): void {
    const whenMs = this.#agent.wakeAtMs;
    if (this.#timer !== undefined && whenMs !== undefined && whenMs < this.#timer.whenMs) {
      clearTimeout(this.#timer.id);
      this.#timer = undefined;
    }
    if (this.#timer !== undefined || whenMs === undefined || this.#isStopped) return;
    const delayMs = Math.max(0, Math.ceil(whenMs - performance.now()));
    const id = setTimeout(() => {
      this.#timer = undefined;
      this.prod();
    }, delayMs);
    this.#timer = { id, whenMs };
  }
}

function asFluxError(error: unknown): FluxError {
  return error instanceof FluxError ? error : new FluxError("INTERNAL_ERROR", String(error));
}
