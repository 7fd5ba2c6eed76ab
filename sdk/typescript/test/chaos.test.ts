/** Producers and consumers while their broker dies and comes back, again and again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FluxError, FluxRuntime, type Message } from "../src/index.js";
import { BrokerProcess } from "./support/broker.js";
import { inScene } from "./support/cases.js";
import { Watched } from "./support/watching.js";

const KILLS = 5;
const BETWEEN_KILLS = 300; // acknowledged records, at least

/** What was acknowledged where, and what was handled. */
class Ledger extends Watched {
  readonly acknowledged = new Map<string, string>();
  readonly handled = new Set<string>();
  readonly values = new Set<string>();
  readonly codes = new Map<string, number>();

  async sent(value: string, sending: Promise<{ partition: number; offset: bigint }>): Promise<void> {
    try {
      const { partition, offset } = await sending;
      this.acknowledged.set(value, `${partition} ${offset}`);
    } catch (error) {
      assert(error instanceof FluxError, String(error));
      this.codes.set(error.code, (this.codes.get(error.code) ?? 0) + 1);
    }
    this.changed();
  }

  readonly eachMessage = (message: Message): void => {
    this.handled.add(`${message.partition} ${message.offset}`);
    this.values.add(message.text);
    this.changed();
  };

  /** So many more than now. */
  moreAcknowledged(more: number): Promise<void> {
    const target = this.acknowledged.size + more;
    return this.until(() => this.acknowledged.size >= target);
  }

  allIsHandled(): Promise<void> {
    return this.until(() => [...this.acknowledged.keys()].every((value) => this.values.has(value)));
  }
}

test("nothing acknowledged is lost while the broker dies again and again", (context) =>
  inScene(async (scene) => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    scene.onEnd(() => process.off("unhandledRejection", note));

    const broker = await new BrokerProcess().start();
    scene.onEnd(() => broker.remove());
    const ledger = new Ledger();
    const runtime = new FluxRuntime({ brokers: broker.address, timeoutMs: 5000 });
    const survived: string[] = [];
    const options = {
      groupId: "g",
      heartbeatIntervalMs: 200,
      sessionTimeoutMs: 3000,
      maxRetryBackoffMs: 500,
      onError: (error: FluxError) => survived.push(error.code),
    };
    const consumers = [runtime.consumer(options), runtime.consumer(options)];
    for (const consumer of consumers) {
      consumer.subscribe("t");
      scene.onEnd(() => consumer.disconnect());
    }
    const runs = consumers.map((consumer) => consumer.run(ledger));

    const producer = runtime.producer({ maxBuffered: 200 });
    let isProducing = true;
    const produce = async () => {
      for (let number = 0; isProducing; number += 1) {
        await producer.room();
        void ledger.sent(`v${number}`, producer.send("t", `k${number % 17}`, `v${number}`));
      }
    };
    const producing = produce();
    for (let kill = 0; kill < KILLS; kill += 1) {
      await ledger.moreAcknowledged(BETWEEN_KILLS);
      await broker.kill();
      await broker.start();
    }
    await ledger.moreAcknowledged(BETWEEN_KILLS);
    isProducing = false;
    await producing;
    await producer.close();
    await ledger.allIsHandled();
    for (const consumer of consumers) await consumer.disconnect();
    await Promise.all(runs);

    const codes = [...ledger.codes].map(([code, count]) => `${count} ${code}`).join(", ") || "none";
    context.diagnostic(`${ledger.acknowledged.size} acknowledged, ${ledger.values.size} handled; failed: ${codes}`);
    context.diagnostic(`the consumers survived ${survived.length} errors: ${[...new Set(survived)].join(", ")}`);

    // No commit is ahead of what was handled, and no offset was given twice.
    const client = scene.client({ brokers: broker.address });
    for (const partition of [0, 1, 2]) {
      const { offset, committed } = await client.offset("g", "t", partition);
      assert(committed);
      for (const place of ledger.acknowledged.values()) {
        const [where, at] = place.split(" ");
        if (Number(where) === partition && BigInt(at as string) < offset) assert(ledger.handled.has(place), place);
      }
    }
    assert.equal(new Set(ledger.acknowledged.values()).size, ledger.acknowledged.size);
    assert(ledger.acknowledged.size >= KILLS * BETWEEN_KILLS);
    assert(survived.length > 0, "the consumers noticed");
    assert.deepEqual(unhandled, []);
  }));
