/** What only this client has: signals, and a process that ends when it should. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { BrokerProcess, Program } from "./support/broker.js";
import { inScene } from "./support/cases.js";

const broker = new BrokerProcess();
before(() => broker.start());
after(() => broker.remove());

test("a call is given up by its signal, before it has left or after, and the connection lives", () =>
  inScene(async ({ client, topic }) => {
    const flux = client({ brokers: broker.address });
    const { partition } = await flux.produce(topic, "k", "v");
    const controller = new AbortController();
    const poll = flux.consume(topic, partition, 1, { waitMs: 60_000, signal: controller.signal });
    await flux.ping();
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(poll, reason);
    await assert.rejects(flux.ping({ signal: controller.signal }), reason);
    await assert.rejects(flux.consume(topic, partition, 1, { waitMs: 60_000, signal: AbortSignal.timeout(10) }), {
      name: "TimeoutError",
    });
    const unused = new AbortController();
    await flux.ping({ signal: unused.signal });
    unused.abort(); // too late: nobody is told
    await flux.ping();
  }));

test("a signal that comes before the call has left keeps it from leaving", () =>
  inScene(async ({ client, topic }) => {
    const flux = client({ brokers: broker.address });
    const controller = new AbortController();
    const produced = flux.produce(topic, "k", "never", { signal: controller.signal });
    controller.abort();
    await assert.rejects(produced, { name: "AbortError" });
    const { partition } = await flux.produce(topic, "k", "v");
    assert.deepEqual(
      [...(await flux.consume(topic, partition, 0))].map((message) => message.text),
      ["v"],
    );
  }));

test("a message shows its key and value as text and as JSON", () =>
  inScene(async ({ client, topic }) => {
    const flux = client({ brokers: broker.address });
    const { partition } = await flux.produce(topic, "ké", JSON.stringify({ a: [1, "✓"] }));
    await flux.produce(topic, "ké", null);
    const [message, tombstone] = (await flux.consume(topic, partition, 0)).messages;
    assert.deepEqual([message?.keyText, message?.json(), message?.offsetNumber], ["ké", { a: [1, "✓"] }, 0]);
    assert.deepEqual([tombstone?.text, tombstone?.value], ["", null]);
  }));

test("much is sent and read at once", () =>
  inScene(async ({ client, topic }) => {
    const flux = client({ brokers: broker.address });
    await flux.adminCreateTopic(topic, 1);
    const value = Buffer.alloc(300_000, "\0");
    await Promise.all([...Array(60)].map(() => flux.produce(topic, null, value)));
    let count = 0;
    for (let offset = 0n; offset < 60n; ) {
      const page = await flux.consume(topic, 0, offset, { maxBytes: 4 << 20 });
      for (const message of page) assert(message.value !== null && value.equals(message.value));
      count += page.messages.length;
      offset = page.nextOffset;
    }
    assert.equal(count, 60);
  }));

test("closed, it does not keep the process alive", () =>
  inScene(async ({ onEnd }) => {
    const source = `
      import { FluxRuntime } from ${JSON.stringify(new URL("../src/index.js", import.meta.url).href)};
      const runtime = new FluxRuntime({ brokers: ${JSON.stringify(broker.address)} });
      const producer = runtime.producer();
      await producer.send("ends", "k", "v");
      const consumer = runtime.consumer({ groupId: "ends" });
      consumer.subscribe("ends");
      await consumer.run({ eachMessage: () => void consumer.disconnect() });
      await producer.close();
      console.log("done");
    `;
    const program = new Program(process.execPath, ["--input-type=module", "-e", source]);
    onEnd(() => program.kill());
    assert.equal(await program.line(), "done");
    assert.equal(await program.end(), 0);
  }));
