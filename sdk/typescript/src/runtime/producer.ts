import { PRODUCER_DEFAULTS, type ProducerOptions } from "../agents/options.js";
import { Outbox } from "../agents/outbox.js";
import { complete } from "../client/options.js";
import type { Produced } from "../results.js";
import type { Content } from "../wire/records.js";
import { Runner, type Sender } from "./runner.js";

/** What a producer or a consumer talks through, for itself alone. */
export interface OwnClient extends Sender {
  close(): Promise<void>;
}

/** What a record may have besides key and value. */
export interface SendOptions {
  /** The record's own time; the broker's if it is not said. */
  readonly timestampMs?: number | bigint | undefined;
}

/**
 * Sends records in batches, again if need be, in order per key. Made by {@link FluxRuntime.producer}.
 *
 * A record is sent again only if the broker surely did not append it; one that may have been fails with `OUTCOME_UNKNOWN`.
 */
export class Producer {
  readonly #client: OwnClient;
  readonly #outbox: Outbox;
  readonly #runner: Runner;
  #inLine: (() => void)[] = []; // for room

  /** @internal */
  constructor(client: OwnClient, options: ProducerOptions) {
    this.#client = client;
    this.#outbox = new Outbox(complete(options, PRODUCER_DEFAULTS));
    this.#runner = new Runner(client, this.#outbox, () => this.#settled());
  }

  /**
   * Have a record sent, now, behind those sent before it; fulfilled when it is acknowledged.
   *
   * `THROTTLED`: there is no room; await {@link room} before sending more.
   */
  send(topic: string, key: Content, value: Content, options: SendOptions = {}): Promise<Produced> {
    return new Promise((resolve, reject) => {
      this.#outbox.post(topic, key, value, options.timestampMs, performance.now(), resolve, reject);
      this.#runner.prodSoon();
    });
  }

  /** Fulfilled when there is room for a record: at once, or when others are acknowledged. */
  async room(): Promise<void> {
    while (!this.#outbox.hasRoom(0)) await new Promise<void>((resolve) => this.#inLine.push(resolve));
  }

  /** Let nothing linger; fulfilled when everything sent so far is acknowledged or has failed. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#outbox.flush(resolve);
      this.#runner.prodSoon();
    });
  }

  /** Accept no more; fulfilled when everything is acknowledged or has failed, and the connection is closed. */
  async close(): Promise<void> {
    this.#outbox.isClosed = true;
    await this.flush();
    this.#runner.stop();
    await this.#client.close();
  }

  #settled(): void {
    if (this.#inLine.length === 0 || !this.#outbox.hasRoom(0)) return;
    const inLine = this.#inLine;
    this.#inLine = [];
    for (const go of inLine) go();
  }
}
