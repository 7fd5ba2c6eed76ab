import type { ConsumerOptions, ProducerOptions } from "../agents/options.js";
import { FluxClient } from "../client/client.js";
import type { ClientOptions } from "../client/options.js";
import { Consumer } from "./consumer.js";
import { Producer } from "./producer.js";

/**
 * Makes producers and consumers, each with a connection of its own to the same brokers.
 *
 * ```ts
 * const runtime = new FluxRuntime({ brokers: "127.0.0.1:9092" });
 * const producer = runtime.producer({ lingerMs: 5 });
 * await producer.send("orders", "user1", "created");
 * await producer.close();
 * ```
 */
export class FluxRuntime {
  readonly #options: ClientOptions;

  /** @throws TypeError the list of brokers cannot be read. */
  constructor(options: ClientOptions = {}) {
    this.#options = options;
    this.client();
  }

  /** A client for everything else. */
  client(): FluxClient {
    return new FluxClient(this.#options);
  }

  /** A producer. {@link Producer.close} it. */
  producer(options: ProducerOptions = {}): Producer {
    return new Producer(this.client(), options);
  }

  /** A member of a group, as soon as it subscribes. {@link Consumer.disconnect} it. */
  consumer(options: ConsumerOptions): Consumer {
    return new Consumer(this.client(), options);
  }
}
