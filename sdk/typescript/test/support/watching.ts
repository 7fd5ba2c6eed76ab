import assert from "node:assert/strict";
import {
  type ConsumerListeners,
  type FluxClient,
  type Message,
  type TopicPartition,
  toNumber,
} from "../../src/index.js";

/** Something that changes, and can be waited for. */
export class Watched {
  #waiting: (() => void)[] = [];

  /** Until it is so. The test runner's own time limit is the patience. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  protected changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }
}

/** Notes what it is given; others wait until there is enough. */
export class Handler extends Watched {
  readonly messages: Message[] = [];
  readonly #then: (message: Message) => unknown;

  constructor(then: (message: Message) => unknown = () => {}) {
    super();
    this.#then = then;
  }

  readonly eachMessage = (message: Message): unknown => {
    this.messages.push(message);
    this.changed();
    return this.#then(message);
  };

  /** The values, as numbers, in the order in which they came. */
  get numbers(): number[] {
    return this.messages.map((message) => Number(message.text));
  }

  get sorted(): number[] {
    return this.numbers.sort((one, other) => one - other);
  }

  /** At least so many. */
  count(count: number): Promise<void> {
    return this.until(() => this.messages.length >= count);
  }
}

/** What a consumer is told to own. */
export class Partitions extends Watched implements ConsumerListeners {
  readonly owned = new Set<string>();
  readonly told: string[] = [];

  readonly onAssign = (partitions: readonly TopicPartition[]): void => {
    for (const name of partitions.map(nameOf)) {
      assert(!this.owned.has(name), name);
      this.owned.add(name);
    }
    this.told.push("assigned");
    this.changed();
  };

  readonly onRevoke = (partitions: readonly TopicPartition[]): void => {
    for (const name of partitions.map(nameOf)) assert(this.owned.delete(name), name);
    this.told.push("revoked");
    this.changed();
  };

  /** Just so many owned. */
  count(count: number): Promise<void> {
    return this.until(() => this.owned.size === count);
  }
}

/** Records over all partitions, numbered in their values. */
export async function fill(client: FluxClient, topic: string, count: number, start = 0): Promise<void> {
  const numbers = [...Array(count).keys()].map((number) => String(start + number));
  await Promise.all(numbers.map((number) => client.produce(topic, number, number)));
}

/** By partition; null: nothing. */
export async function committed(client: FluxClient, group: string, topic: string): Promise<(number | null)[]> {
  const found = await Promise.all([0, 1, 2].map((partition) => client.offset(group, topic, partition)));
  return found.map((each) => (each.committed ? toNumber(each.offset) : null));
}

export function range(start: number, end: number): number[] {
  return [...Array(end - start).keys()].map((number) => start + number);
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic} ${partition}`;
}
