import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { type ClientOptions, FluxClient } from "../../src/index.js";
import { load } from "./vectors.js";

// biome-ignore lint/suspicious/noExplicitAny: each case knows its own data
type Data = any;

/** What a case may use, for itself alone. */
export interface Scene {
  readonly topic: string;
  /** A client, closed when the case is over. */
  client(options: ClientOptions): FluxClient;
  /** Something else to do when it is over, before what was there before. */
  onEnd(end: () => unknown): void;
}

/** One of the suites that the clients of all languages have: its cases are named by the data, and so is what each is tried with. */
export class Suite {
  readonly #data: Record<string, Data>;
  readonly #tried = new Set<string>();

  constructor(name: "contract" | "producers" | "consumers" | "faults") {
    this.#data = load<Record<string, Record<string, Data>>>("contract.json")[name] as Record<string, Data>;
    test("every case that the data names is tried", () => {
      assert.deepEqual([...this.#tried].sort(), Object.keys(this.#data).sort());
    });
  }

  /** Declare a case; its name is a sentence, as words or with underscores. */
  case(name: string, run: (scene: Scene, data: Data) => Promise<void>): void {
    const key = name.replaceAll(" ", "_");
    this.#tried.add(key);
    test(name, async () => {
      const data = this.#data[key];
      assert(data !== undefined, `the data names no case ${key}`);
      await inScene((scene) => run(scene, data));
    });
  }
}

/** Run something, and then end whatever it has begun, the last first. */
export async function inScene(run: (scene: Scene) => Promise<void>): Promise<void> {
  const ends: (() => unknown)[] = [];
  const scene: Scene = {
    topic: `t-${randomUUID()}`,
    client(options) {
      const client = new FluxClient(options);
      ends.push(() => client.close());
      return client;
    },
    onEnd: (end) => ends.push(end),
  };
  try {
    await run(scene);
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

/** A promise and who fulfils it. */
export class Gate<T = void> {
  readonly opened: Promise<T>;
  open!: (value: T) => void;
  isOpen = false;

  constructor() {
    this.opened = new Promise((resolve) => {
      this.open = (value) => {
        this.isOpen = true;
        resolve(value);
      };
    });
  }
}

/** What becomes of a promise, as a value. */
export async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome;
}

/** Whether a promise has an outcome by now. */
export async function isDone(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  const first = await Promise.race([promise.catch(() => undefined), Promise.resolve(pending)]);
  return first !== pending;
}
