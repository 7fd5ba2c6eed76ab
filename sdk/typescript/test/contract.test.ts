/** What every client promises, on a real broker: the cases and the data of `tests/integration/client/test_contract.py`. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, before } from "node:test";
import { FluxClient, FluxError, toNumber } from "../src/index.js";
import { BrokerProcess } from "./support/broker.js";
import { isDone, Suite } from "./support/cases.js";
import { camelCase } from "./support/vectors.js";

type Text = string | Uint8Array;

const broker = new BrokerProcess();
before(() => broker.start());
after(() => broker.remove());

const suite = new Suite("contract");

/** The call is rejected with just this. */
async function fails(code: string, call: Promise<unknown>): Promise<FluxError> {
  const error = await call.then(
    (value) => assert.fail(`wanted ${code}, got ${value}`),
    (reason: unknown) => reason,
  );
  assert(error instanceof FluxError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}

function bytes(text: Text): Buffer {
  return Buffer.from(text);
}

function camelCased(options: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(options).map(([name, value]) => [camelCase(name), value]));
}

/** An address where nobody listens. */
async function deadAddress(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.on("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

// --- records ---

suite.case("any value and any key come back exactly", async ({ client, topic }, data: { values: [string, Text][] }) => {
  const flux = client({ brokers: broker.address });
  for (const [name, value] of data.values) {
    const own = `${topic}-${name.replaceAll(" ", "_")}`;
    const key = name.startsWith("large") ? bytes(value).subarray(0, 1000) : value;
    const produced = await flux.produce(own, key, value);
    const again = await flux.produce(own, bytes(key), bytes(value), { acks: "all" });
    assert.deepEqual([produced.offset, again.offset, again.partition], [0n, 1n, produced.partition], name);
    const page = await flux.consume(own, produced.partition, 0);
    assert.deepEqual(
      page.messages.map((message) => [message.offset, message.key, message.value]),
      [0n, 1n].map((offset) => [offset, bytes(key), bytes(value)]),
      name,
    );
    assert.deepEqual([page.nextOffset, page.highWatermark, page.logStart], [2n, 2n, 0n], name);
  }
});

suite.case("no key spreads and an empty key does not", async ({ client, topic }, data) => {
  const flux = client({ brokers: broker.address });
  const spread = new Set<number>();
  for (let number = 0; number < data.unkeyed; number += 1) {
    spread.add((await flux.produce(topic, null, String(number))).partition);
  }
  assert.deepEqual([...spread].sort(), data.partitions);
  const produced = await Promise.all(data.empty_keys.map((key: Text) => flux.produce(topic, key, "v")));
  const [partition, ...others] = new Set(produced.map((each) => each.partition));
  assert.deepEqual(others, []);
  const empty = Buffer.alloc(0);
  const keys = [...(await flux.consume(topic, partition, 0))].map((message) => message.key);
  assert.deepEqual(keys, [null, null, empty, empty, empty]);
});

suite.case("a tombstone is no empty value", async ({ client, topic }, data: { values: (string | null)[] }) => {
  const flux = client({ brokers: broker.address });
  const produced = await Promise.all(data.values.map((value) => flux.produce(topic, "k", value)));
  const page = await flux.consume(topic, produced[0]?.partition ?? -1, 0);
  assert.deepEqual(
    page.messages.map((message) => message.value),
    data.values.map((value) => (value === null ? null : bytes(value))),
  );
});

suite.case("a record bears the time it was given", async ({ client, topic }, data) => {
  const flux = client({ brokers: broker.address });
  const timestampMs = Date.now() - data.age_ms;
  const { partition } = await flux.produce(topic, "k", "a", { timestampMs });
  await flux.produce(topic, "k", "b");
  const [given, stamped] = (await flux.consume(topic, partition, 0)).messages;
  assert.equal(given?.timestampMs, timestampMs);
  assert(timestampMs < (stamped?.timestampMs ?? 0));
});

suite.case("acks by any name", async ({ client, topic }, data) => {
  const flux = client({ brokers: broker.address });
  const offsets: bigint[] = [];
  for (const acks of data.acks) offsets.push((await flux.produce(topic, "k", "v", { acks })).offset);
  assert.deepEqual(offsets.map(toNumber), [...data.acks.keys()]);
  for (const acks of data.refused) await fails("BAD_REQUEST", flux.produce(topic, "k", "v", { acks }));
});

suite.case("reading goes page by page", async ({ client, topic }, data) => {
  const flux = client({ brokers: broker.address });
  const produced = await Promise.all(data.values.map((value: Text) => flux.produce(topic, "k", value)));
  const { partition } = produced[0];
  for (const each of data.pages) {
    const page = await flux.consume(topic, partition, each.offset, camelCased(each.options));
    assert.deepEqual(
      [...page].map((message) => message.text),
      each.values,
    );
    assert.deepEqual([page.nextOffsetNumber, page.highWatermark], [each.next_offset, BigInt(data.values.length)]);
  }
  const error = await fails("OFFSET_OUT_OF_RANGE", flux.consume(topic, partition, data.out_of_range));
  assert.equal(error.retriable, false);
});

suite.case("offsets are found by end and by time", async ({ client, topic }, data) => {
  const flux = client({ brokers: broker.address });
  let partition = -1;
  for (const [value, timestampMs] of data.records) {
    ({ partition } = await flux.produce(topic, "k", value, { timestampMs }));
  }
  for (const [at, offset] of data.found) {
    const found = await flux.offsets(topic, partition, at);
    assert.equal(found.offsetNumber, offset);
    if (typeof at === "number") assert.equal(found.timestampMs, offset < 0 ? -1 : data.records[offset][1]);
  }
});

suite.case("a long poll is woken and delays nobody", async ({ client, topic }) => {
  const flux = client({ brokers: broker.address });
  const { partition } = await flux.produce(topic, "k", "first");
  const poll = flux.consume(topic, partition, 1, { waitMs: 30_000 });
  await flux.ping();
  assert.equal(await isDone(poll), false);
  await flux.produce(topic, "k", "second");
  assert.deepEqual(
    [...(await poll)].map((message) => message.text),
    ["second"],
  );
  assert.deepEqual((await flux.consume(topic, partition, 2, { waitMs: 10 })).messages, []);
});

// --- many at once ---

suite.case("calls overlap and each gets its own answer", async ({ client, topic }) => {
  const flux = client({ brokers: broker.address });
  const numbers = [...Array(300).keys()];
  const produced = await Promise.all(numbers.map((number) => flux.produce(topic, String(number % 7), String(number))));
  assert.equal(new Set(produced.map((each) => `${each.partition} ${each.offset}`)).size, numbers.length);
  const pages = await Promise.all(
    produced.map((each) => flux.consume(topic, each.partition, each.offset, { maxRecords: 1 })),
  );
  assert.deepEqual(
    pages.map((page) => page.messages.map((message) => Number(message.text))),
    numbers.map((number) => [number]),
  );
});

suite.case("send all keeps order and returns errors as values", async ({ client, topic }) => {
  // More than may be in flight at once; Promise.allSettled is what makes values of errors here.
  const flux = client({ brokers: broker.address });
  const before = [...Array(1500).keys()].map((number) => flux.produce(topic, "k", String(number)));
  const refused = [flux.consume(topic, 99, 0), flux.produce("no topic", "k", "v")];
  const behind = [...Array(1500).keys()].map((number) => flux.produce(topic, "k", String(1500 + number)));
  for (const outcome of await Promise.allSettled(refused)) {
    assert(outcome.status === "rejected" && outcome.reason instanceof FluxError);
    assert.equal(outcome.reason.code, "BAD_REQUEST");
  }
  const produced = await Promise.all([...before, ...behind]);
  assert.deepEqual(
    produced.map((each) => each.offsetNumber),
    [...Array(3000).keys()],
  );
});

// --- the session, groups, errors ---

suite.case("the session commands", async ({ client }) => {
  const flux = client({ brokers: broker.address });
  assert.equal(await flux.ping(), undefined);
  const welcome = await flux.connect();
  assert.deepEqual([welcome.server.split("/")[0], welcome.protocol], ["flux", "V1"]);
  assert.deepEqual(await flux.hello("tests/1"), welcome);
  assert.match(await flux.help(), /PRODUCE/);
  assert.match(await flux.help("produce"), /colon/);
});

suite.case("a member joins commits and leaves", async ({ client, topic }) => {
  const flux = client({ brokers: broker.address });
  const group = `g-${topic}`;
  const { partition } = await flux.produce(topic, "k", "v");
  const joined = await flux.join(group, topic, "m1", { assignor: "range", sessionMs: 60_000 });
  assert.deepEqual(joined, { generation: 2, partitions: [0, 1, 2] });
  assert.deepEqual(await flux.sync(group, topic, "m1", 2), joined);
  await flux.heartbeat(group, topic, "m1", 2);
  const before = await flux.offset(group, topic, partition);
  assert.deepEqual([before.offset, before.committed], [0n, false]);
  await flux.commit(group, topic, "m1", 2, partition, 1);
  const behind = await flux.offset(group, topic, partition);
  assert.deepEqual([behind.offsetNumber, behind.committed], [1, true]);
  const error = await fails("GENERATION_MISMATCH", flux.heartbeat(group, topic, "m1", 1));
  assert.equal(error.retriable, false);
  assert((await flux.groupList()).some((each) => each["group"] === group));
  assert.equal((await flux.groupDescribe(group))["members"], 1);
  assert.equal((await flux.explainGroup(group)).group, group);
  const moved = await flux.groupReset(group, topic, "earliest", { dryRun: true });
  assert.deepEqual([moved.dryRun, moved.before[partition], moved.after[partition]], [true, 1n, 0n]);
  await flux.leave(group, topic, "m1", 2);
  await fails("GENERATION_MISMATCH", flux.leave(group, topic, "m1", 2));
});

suite.case("every command has a method of its name", async ({ client }) => {
  const { commands } = await client({ brokers: broker.address }).connect();
  assert(commands.length > 10);
  const without = commands.filter((command) => !(camelCase(command.toLowerCase()) in FluxClient.prototype));
  assert.deepEqual(without, []);
});

suite.case("a topic is made described altered and deleted", async ({ client, topic }, data) => {
  const flux = client({ brokers: broker.address });
  const made = await flux.adminCreateTopic(topic, 2, 1, data.settings);
  assert.deepEqual([made.topic, made.partitions, made.replicationFactor], [topic, 2, 1]);
  assert.deepEqual(await flux.adminCreateTopic(topic, 2, 1), made);
  await fails("TOPIC_EXISTS", flux.adminCreateTopic(topic, 3));
  assert.equal((await flux.adminAlterTopic(topic, data.altered, { partitions: 4 })).partitions, 4);
  const described = await flux.adminDescribeTopic(topic);
  const { partitions } = described.description as { partitions?: unknown[] };
  assert.deepEqual([described.partitions, partitions?.length], [4, 4]);
  const { partition } = await flux.produce(topic, "k", "v");
  assert.equal((await flux.adminDeleteRecords(topic, partition, 1)).logStart, 1n);
  assert((await flux.adminGetMetadata()).topics.includes(topic));
  assert.equal((await flux.adminDeleteTopic(topic)).topic, topic);
  assert(!(await flux.adminGetMetadata()).topics.includes(topic));
});

suite.case("brokers and leaders are administered", async ({ client, topic }) => {
  const flux = client({ brokers: broker.address });
  const registered = await flux.adminRegisterBroker(7, "127.0.0.1", 9099);
  assert.deepEqual([registered.brokerId, registered.host, registered.port], [7, "127.0.0.1", 9099]);
  assert.equal((await flux.adminBrokerHeartbeat(7)).brokerId, 7);
  assert.equal((await flux.adminFenceBroker(7)).fenced, true);
  assert((await flux.adminGetMetadata()).fenced.includes(7));
  assert.equal((await flux.adminUnfenceBroker(7)).fenced, false);
  assert.equal(await flux.adminReconcileBrokerHealth(3_600_000), 0);
  await flux.adminCreateTopic(topic, 1);
  assert.deepEqual((await flux.adminSetPartitionLeader(topic, 0, 0, [0])).isr, [0]);
  assert.equal((await flux.adminElectTopicLeaders(topic)).electedChanges, 0);
});

suite.case("replicas report and a follower refuses", async ({ client, topic }) => {
  const flux = client({ brokers: broker.address });
  await flux.adminCreateTopic(topic, 1, 2);
  await flux.produce(topic, "k", "v");
  const fetched = await flux.replicaFetch(topic, 0, 1, 0);
  assert.deepEqual([fetched.replica, fetched.ackedOffset, fetched.highWatermark], [1, 0n, 1n]);
  assert.equal((await flux.explainPartition(topic, 0)).partition, 0);
  assert.equal((await flux.setPartitionRole(topic, 0, "follower")).role, "follower");
  await fails("NOT_LEADER", flux.produce(topic, "k", "v"));
  assert.equal((await flux.setPartitionRole(topic, 0, "leader")).highWatermark, 1n);
  await fails("BAD_REQUEST", flux.setPartitionRole(topic, 0, "boss" as "leader"));
});

suite.case("what cannot be sent is refused before it is", async ({ client }, data) => {
  const flux = client({ brokers: broker.address });
  const methods = flux as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
  for (const { call, args } of data.calls) {
    await fails("BAD_REQUEST", methods[camelCase(call)]?.(...args) ?? Promise.resolve());
  }
});

suite.case(
  "a request longer than the broker takes is refused and the connection lives",
  async ({ client, topic }, data) => {
    const flux = client({ brokers: broker.address });
    const pong = flux.ping();
    await fails("MESSAGE_TOO_LARGE", flux.produce(topic, "k", data.value));
    await pong;
  },
);

suite.case("any call can be sent", async ({ client }) => {
  const flux = client({ brokers: broker.address });
  const error = await fails("UNKNOWN_COMMAND", flux.sendCommand("MINE", "some words"));
  assert.match(error.message, /MINE/);
  assert.equal((await flux.sendCommand("ping")).boolean("pong"), true);
  await fails("BAD_REQUEST", flux.sendCommand("PI|NG"));
  await fails("BAD_REQUEST", flux.sendCommand("PING", "a\nb"));
});

// --- brokers come and go ---

suite.case("a list of brokers is tried in order", async ({ client }) => {
  const dead = [await deadAddress(), await deadAddress()];
  await client({ brokers: [...dead, broker.address] }).ping();
  const error = await fails("NO_BROKER", client({ brokers: dead.join(",") }).connect());
  assert.equal(error.retriable, true);
  for (const address of dead) assert(error.message.includes(`${address}: `), error.message);
});

suite.case("a restarted broker is found again", async ({ client, onEnd }) => {
  const own = await new BrokerProcess().start();
  onEnd(() => own.remove());
  const flux = client({ brokers: own.address });
  const { partition } = await flux.produce("t", "k", "before");
  await own.kill();
  // Whoever has not noticed yet cannot know what becomes of the first.
  const first = await flux.produce("t", "k", "meanwhile").catch((error: FluxError) => error.code);
  assert(first === "NO_BROKER" || first === "OUTCOME_UNKNOWN", String(first));
  await fails("NO_BROKER", flux.produce("t", "k", "meanwhile"));
  await own.start();
  await flux.produce("t", "k", "after");
  assert.deepEqual(
    [...(await flux.consume("t", partition, 0))].map((message) => message.text),
    ["before", "after"],
  );
});

suite.case("a broker killed while it answers leaves the outcome unknown", async ({ client, onEnd }) => {
  const own = await new BrokerProcess().start();
  onEnd(() => own.remove());
  const flux = client({ brokers: own.address });
  const { partition } = await flux.produce("t", "k", "v");
  const failing = fails("OUTCOME_UNKNOWN", flux.consume("t", partition, 1, { waitMs: 60_000 }));
  await flux.ping();
  await own.kill();
  const error = await failing;
  assert.equal(error.retriable, false);
});

suite.case("a closed client says so", async ({ client }) => {
  const flux = client({ brokers: broker.address });
  await flux.ping();
  await flux.close();
  await fails("CLIENT_CLOSED", flux.ping());
  await flux.close();
});
