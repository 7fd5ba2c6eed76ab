/** What producers promise: the cases of `tests/integration/client/test_producers.py`. */

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { type FluxError, FluxRuntime, type Produced, type ProducerOptions } from "../src/index.js";
import { BrokerProcess } from "./support/broker.js";
import { Gate, isDone, type Scene, Suite, settled } from "./support/cases.js";
import { type Caller, ScriptedBroker } from "./support/scripted.js";

const broker = new BrokerProcess();
before(() => broker.start());
after(() => broker.remove());

const suite = new Suite("producers");

function producer(scene: Scene, options?: ProducerOptions, brokers = broker.address) {
  const made = new FluxRuntime({ brokers }).producer(options);
  scene.onEnd(() => made.close());
  return made;
}

/** The code a record failed with. */
async function failure(sent: Promise<Produced>): Promise<string> {
  const outcome = await settled(sent);
  assert(outcome.status === "rejected", "it was acknowledged");
  return (outcome.reason as FluxError).code;
}

suite.case("every record is acknowledged where it is", async (scene) => {
  const client = scene.client({ brokers: broker.address });
  for (const [at, options] of [{}, { lingerMs: 20, batchSize: 7, acks: "all" as const }].entries()) {
    const topic = `${scene.topic}-${at}`;
    const made = producer(scene, options);
    const records = [...Array(1000).keys()].map((number) => [`key ${number % 10}`, String(number)] as const);
    const sent = records.map(([key, value]) => made.send(topic, key, value));
    const unkeyed = made.send(topic, null, Buffer.from("\0,\n"), { timestampMs: Date.now() - 5000 });
    await made.flush();
    const places = new Map<string, number[]>();
    for (const [number, [key, value]] of records.entries()) {
      const produced = await (sent[number] as Promise<Produced>);
      const place = `${produced.partition} ${key}`;
      places.set(place, [...(places.get(place) ?? []), produced.offsetNumber]);
      const [message] = await client.consume(topic, produced.partition, produced.offset, { maxRecords: 1 });
      assert.equal(message?.text, value);
    }
    for (const offsets of places.values()) {
      assert.deepEqual(
        offsets,
        [...offsets].sort((one, other) => one - other),
      );
    }
    const where = await unkeyed;
    const [message] = await client.consume(topic, where.partition, where.offset);
    assert.equal(message?.text, "\0,\n");
  }
});

suite.case("a record that cannot be appended fails alone", async (scene) => {
  const { topic } = scene;
  const made = producer(scene);
  const sent = [topic, "no topic", topic].map((name) => made.send(name, "k", "v"));
  const tooLong = made.send(topic, "k", "x".repeat(2 << 20));
  const [first, refused, third] = await Promise.allSettled([...sent, tooLong]);
  assert(first?.status === "fulfilled" && first.value.offset === 0n);
  assert(third?.status === "fulfilled" && third.value.offset === 1n);
  assert(refused?.status === "rejected" && refused.reason.code === "BAD_REQUEST");
  assert.equal(await failure(tooLong), "MESSAGE_TOO_LARGE");
});

suite.case("closing sends what lingers and accepts no more", async (scene) => {
  const made = producer(scene, { lingerMs: 60_000 });
  const lingering = made.send(scene.topic, "k", "v");
  assert.equal(await isDone(lingering), false);
  await made.close();
  assert.equal((await lingering).offset, 0n);
  assert.equal(await failure(made.send(scene.topic, "k", "v")), "CLIENT_CLOSED");
  await made.close();
});

suite.case("what was refused for now is sent again in order", async (scene) => {
  const seen: string[] = [];
  const scripted = await ScriptedBroker.start(async (caller: Caller) => {
    await caller.welcome();
    for (const code of ["THROTTLED", "THROTTLED", "UNKNOWN_TOPIC"]) {
      const { id, args } = await caller.request();
      seen.push(args);
      caller.refuse(id, code, "no");
    }
    for (const offset of [0, 1]) {
      const { id, args } = await caller.request();
      seen.push(args);
      caller.answer(id, `partition=0 offset=${offset} hw=${offset}`);
    }
    await caller.untilItHangsUp();
  });
  scene.onEnd(() => scripted.finish());
  const made = producer(scene, { lingerMs: 50, retryBackoffMs: 50 }, scripted.address);
  const [first, second, third] = await Promise.allSettled(
    [..."aab"].map((key, number) => made.send("t", key, String(number))),
  );
  assert(first?.status === "fulfilled" && first.value.offset === 0n);
  assert(second?.status === "fulfilled" && second.value.offset === 1n);
  assert(third?.status === "rejected" && third.reason.code === "UNKNOWN_TOPIC");
  assert.deepEqual(seen, ["t a:0 acks=1", "t a:1 acks=1", "t b:2 acks=1", "t a:0 acks=1", "t a:1 acks=1"]);
});

suite.case("there is room for so many", async (scene) => {
  const goOn = new Gate();
  const scripted = await ScriptedBroker.start(async (caller: Caller) => {
    await caller.welcome();
    const requests = [await caller.request(), await caller.request(), await caller.request()];
    await goOn.opened;
    for (const { id } of requests) caller.answer(id, "partition=0 offset=0 hw=0");
    caller.answer((await caller.request()).id, "partition=0 offset=0 hw=0");
    await caller.untilItHangsUp();
  });
  scene.onEnd(() => scripted.finish());
  const made = producer(scene, { maxBuffered: 3 }, scripted.address);
  const accepted = ["0", "1", "2"].map((key) => made.send("t", key, "v"));
  assert.equal(await failure(made.send("t", "3", "v")), "THROTTLED");
  const room = made.room();
  assert.equal(await isDone(room), false);
  goOn.open();
  for (const each of accepted) assert.equal((await each).offset, 0n);
  await room;
  assert.equal((await made.send("t", "3", "v")).offset, 0n);
});

suite.case("a bad acks is an error at once", async (scene) => {
  const made = producer(scene, { acks: "most" as "all" });
  assert.equal(await failure(made.send(scene.topic, "k", "v")), "BAD_REQUEST");
});
