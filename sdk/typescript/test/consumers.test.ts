/** What consumers promise: the cases of `tests/integration/client/test_consumers.py`, and what only this client has. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { type ConsumerOptions, type FluxError, FluxRuntime, type Message } from "../src/index.js";
import { BrokerProcess } from "./support/broker.js";
import { inScene, type Scene, Suite } from "./support/cases.js";
import { committed, fill, Handler, Partitions, range } from "./support/watching.js";

const broker = new BrokerProcess();
before(() => broker.start());
after(() => broker.remove());

const suite = new Suite("consumers");

/** A consumer, disconnected when the case is over; the group is named as the topic, unless another one is named. */
function consumer(scene: Scene, options: Partial<ConsumerOptions> = {}, topics: string | string[] = scene.topic) {
  const made = new FluxRuntime({ brokers: broker.address }).consumer({ groupId: scene.topic, ...options });
  made.subscribe(topics);
  scene.onEnd(() => made.disconnect());
  return made;
}

function client(scene: Scene) {
  return scene.client({ brokers: broker.address });
}

suite.case("a handler gets every record and what it handled is committed", async (scene) => {
  const { topic } = scene;
  const flux = client(scene);
  const topics = [topic, `${topic}-too`];
  await fill(flux, topic, 100);
  await fill(flux, `${topic}-too`, 50, 100);
  const first = new Handler();
  const one = consumer(scene, {}, topics);
  const running = one.run(first);
  await first.count(150);
  await one.disconnect();
  await running;
  assert.deepEqual(first.sorted, range(0, 150));
  for (const name of topics) {
    const ends = await Promise.all([0, 1, 2].map((partition) => flux.offsets(name, partition, "latest")));
    assert.deepEqual(
      await committed(flux, topic, name),
      ends.map((end) => end.offsetNumber || null),
    );
    for (const partition of [0, 1, 2]) {
      const seen = first.messages.filter((each) => each.topic === name && each.partition === partition);
      assert.deepEqual(
        seen.map((each) => each.offsetNumber),
        range(0, seen.length),
      );
    }
  }
  await fill(flux, topic, 10, 1000);
  const second = new Handler();
  const other = consumer(scene);
  const again = other.run(second);
  await second.count(10);
  await other.disconnect();
  await again;
  assert.deepEqual(second.sorted, range(1000, 1010));
});

suite.case("iterating hands out one after the other", async (scene) => {
  const flux = client(scene);
  await fill(flux, scene.topic, 20);
  const made = consumer(scene);
  const taken: number[] = [];
  for await (const message of made) {
    taken.push(Number(message.text));
    if (taken.length === 20) break;
  }
  assert.deepEqual(
    taken.sort((one, other) => one - other),
    range(0, 20),
  );
  await made.disconnect();
  for await (const message of made) assert.fail(`it is over, and yet there is ${message.text}`);
  const handled = await committed(flux, scene.topic, scene.topic);
  assert.equal(
    handled.reduce<number>((sum, offset) => sum + (offset ?? 0), 0),
    19,
  );
});

suite.case("who wants no next one says that the last one is handled", async (scene) => {
  const flux = client(scene);
  await fill(flux, scene.topic, 3);
  const made = consumer(scene);
  let count = 0;
  for await (const _ of made) {
    count += 1;
    if (count === 3) break;
  }
  made.handled();
  await made.disconnect();
  const handled = await committed(flux, scene.topic, scene.topic);
  assert.equal(
    handled.reduce<number>((sum, offset) => sum + (offset ?? 0), 0),
    3,
  );
});

suite.case("a handler that fails gets the record again and then it is the end", async (scene) => {
  const { topic } = scene;
  const flux = client(scene);
  const produced = await Promise.all(range(0, 5).map((number) => flux.produce(topic, "k", String(number))));
  const handler = new Handler((message) => {
    if (message.offset === 2n) throw new RangeError("2 is too much");
  });
  const crashes: unknown[] = [];
  const onCrash = (error: unknown) => crashes.push(error);
  const made = consumer(scene, { maxRetries: 2, retryBackoffMs: 10, onCrash });
  await assert.rejects(made.run(handler), { name: "RangeError", message: "2 is too much" });
  assert.deepEqual(handler.numbers, [0, 1, 2, 2, 2]);
  assert.equal(crashes.length, 1);
  assert.equal((await flux.offset(topic, topic, produced[0]?.partition ?? -1)).offset, 2n);
  assert.equal((await flux.groupDescribe(topic))["members"], 0); // it has left
});

suite.case("members share the partitions", async (scene) => {
  await fill(client(scene), scene.topic, 1);
  const [first, second] = [new Partitions(), new Partitions()];
  const { onAssign, onRevoke } = first;
  const one = consumer(scene, { heartbeatIntervalMs: 50, consumerId: "a", onAssign, onRevoke });
  const oneRuns = one.run(new Handler());
  await first.count(3);
  assert.deepEqual(
    one.assignment,
    [0, 1, 2].map((partition) => ({ topic: scene.topic, partition })),
  );
  const told = { onAssign: second.onAssign, onRevoke: second.onRevoke };
  const other = consumer(scene, { heartbeatIntervalMs: 50, consumerId: "b", ...told });
  const otherRuns = other.run(new Handler());
  await second.count(1); // round robin, members in the order of their names
  await first.count(2);
  assert.equal(new Set([...first.owned, ...second.owned]).size, 3);
  await one.disconnect();
  await oneRuns;
  await second.count(3);
  assert.equal(first.owned.size, 0);
  await other.disconnect();
  await otherRuns;
  assert.equal(second.owned.size, 0);
  assert.deepEqual([first.told, second.told[0]], [["assigned", "revoked", "revoked"], "assigned"]);
});

suite.case("a slow handler keeps its partitions", async (scene) => {
  const flux = client(scene);
  await fill(flux, scene.topic, 1);
  const { onAssign, onRevoke, told } = new Partitions();
  const slow = new Handler(() => setTimeout(2000));
  const made = consumer(scene, { sessionTimeoutMs: 400, heartbeatIntervalMs: 100, onAssign, onRevoke });
  const running = made.run(slow);
  await slow.count(1);
  await fill(flux, scene.topic, 1, 1);
  await slow.count(2);
  assert.deepEqual(told, ["assigned"]);
  await made.disconnect();
  await running;
  assert.deepEqual(slow.numbers, [0, 1]);
});

suite.case("a reset sends running consumers back", async (scene) => {
  const flux = client(scene);
  await fill(flux, scene.topic, 9);
  const handler = new Handler();
  const made = consumer(scene, { heartbeatIntervalMs: 50, commitIntervalMs: 0 });
  const running = made.run(handler);
  await handler.count(9);
  await flux.groupReset(scene.topic, scene.topic, "earliest");
  await handler.count(18);
  await made.disconnect();
  await running;
  assert.deepEqual(
    handler.sorted,
    range(0, 9).flatMap((number) => [number, number]),
  );
});

suite.case("where nothing is committed the options say where to begin", async (scene) => {
  const { topic } = scene;
  const flux = client(scene);
  await fill(flux, topic, 9);
  const partitions = new Partitions();
  const handler = new Handler();
  const made = consumer(scene, { autoOffsetReset: "latest", onAssign: partitions.onAssign });
  const running = made.run(handler);
  await partitions.count(3);
  while ([0, 1, 2].some((partition) => made.position(topic, partition) === undefined)) await flux.ping();
  await fill(flux, topic, 5, 100);
  await handler.count(5);
  await made.disconnect();
  await running;
  assert.deepEqual(handler.sorted, range(100, 105));
  const strict = consumer(scene, { groupId: `${topic}-2`, autoOffsetReset: "error" });
  await assert.rejects(strict.run(new Handler()), { code: "OFFSET_OUT_OF_RANGE" });
});

suite.case("a consumer is sent elsewhere and halted", async (scene) => {
  const { topic } = scene;
  const flux = client(scene);
  const produced = await Promise.all(range(0, 10).map((number) => flux.produce(topic, "k", String(number))));
  const partition = produced[0]?.partition ?? -1;
  const handler = new Handler();
  const made = consumer(scene);
  const running = made.run(handler);
  await handler.count(10);
  made.pause(topic, partition);
  made.seek(topic, partition, 7);
  await flux.produce(topic, "k", "10");
  assert.equal(made.position(topic, partition), 7n);
  assert.equal(handler.messages.length, 10);
  made.resume(topic, partition);
  await handler.count(14);
  assert.deepEqual(handler.numbers.slice(10), [7, 8, 9, 10]);
  for (const wrong of [
    () => made.seek(topic, 99, 0),
    () => made.seek(topic, partition, -1),
    () => made.pause("x", 0),
  ]) {
    assert.throws(wrong, { code: "BAD_REQUEST" });
  }
  await made.disconnect();
  await running;
});

suite.case("a topic that cannot be is an error", async (scene) => {
  const made = consumer(scene, {}, "no topic");
  await assert.rejects(made.run(new Handler()), { code: "BAD_REQUEST" });
});

// --- what only this client has ---

test("without autoCommit the group goes on behind what was committed", () =>
  inScene(async (scene) => {
    const { topic } = scene;
    const flux = client(scene);
    const produced = await Promise.all(range(0, 10).map((number) => flux.produce(topic, "k", String(number))));
    const partition = produced[0]?.partition ?? -1;
    const one = consumer(scene, { autoCommit: false });
    let lastMessage: Message | undefined;
    for await (const message of one) {
      lastMessage = message;
      if (message.offset === 4n) await one.commit(message);
      if (message.offset === 7n) break;
    }
    assert.equal((await flux.offset(topic, topic, partition)).offset, 5n);
    await one.disconnect();
    await assert.rejects(one.commit(lastMessage as Message), { code: "GENERATION_MISMATCH" });
    const handler = new Handler();
    const other = consumer(scene, { autoCommit: false });
    const running = other.run(handler);
    await handler.count(5);
    await other.disconnect();
    await running;
    assert.deepEqual(handler.numbers, [5, 6, 7, 8, 9]);
    assert.equal((await flux.offset(topic, topic, partition)).offset, 5n);
  }));

test("without autoRejoin a rebalance ends the consumer", () =>
  inScene(async (scene) => {
    await fill(client(scene), scene.topic, 1);
    const partitions = new Partitions();
    const { onAssign } = partitions;
    const one = consumer(scene, { autoRejoin: false, heartbeatIntervalMs: 50, onAssign });
    const ended = assert.rejects(one.run(new Handler()), { code: "GENERATION_MISMATCH" });
    await partitions.count(3);
    consumer(scene);
    await ended;
  }));

test("a run nobody awaits is told to onCrash, and rejects nowhere else", () =>
  inScene(async (scene) => {
    const crashed = new Promise((resolve) => {
      consumer(scene, { onCrash: resolve }, "no topic").run(new Handler());
    });
    assert.equal(((await crashed) as FluxError).code, "BAD_REQUEST");
  }));

test("what goes wrong and is tried again is told to onError, or is a warning", () =>
  inScene(async (scene) => {
    const refused = { brokers: "127.0.0.1:1" }; // nobody listens there
    const told = new Promise<FluxError>((resolve) => {
      const loud = new FluxRuntime(refused).consumer({ groupId: "g", onError: resolve });
      loud.subscribe("t");
      loud.run(new Handler());
      scene.onEnd(() => loud.disconnect());
    });
    assert.equal((await told).code, "NO_BROKER");
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    const quiet = new FluxRuntime(refused).consumer({ groupId: "g" });
    quiet.subscribe("t");
    quiet.run(new Handler());
    scene.onEnd(() => quiet.disconnect());
    const warning = await warned;
    assert.equal(warning.name, "FluxWarning");
    assert.match(warning.message, /^NO_BROKER: .*; trying again$/);
  }));
