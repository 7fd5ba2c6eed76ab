/** Python and TypeScript in one group, each with the other's records. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { FluxRuntime } from "../src/index.js";
import { BrokerProcess, Program, PYTHON } from "./support/broker.js";
import { inScene, type Scene } from "./support/cases.js";
import { Handler, Partitions } from "./support/watching.js";

const PEER = fileURLToPath(new URL("../../test/support/peer.py", import.meta.url));
const COUNT = 600;

const broker = new BrokerProcess();
before(() => broker.start());
after(() => broker.remove());

/** Two members, one of each language, who have shared the partitions; then records; who has seen which. */
async function share(scene: Scene, produce: () => Promise<void>, names: { own: string; peer: string }) {
  const { topic } = scene;
  const flux = scene.client({ brokers: broker.address });
  await flux.adminCreateTopic(topic, 3);
  const peer = new Program(PYTHON, [PEER, "consume", broker.address, topic, topic, names.peer]);
  scene.onEnd(() => peer.kill());
  assert.equal(await peer.line(), "+ 0 1 2");

  const partitions = new Partitions();
  const handler = new Handler();
  const { onAssign, onRevoke } = partitions;
  const options = { groupId: topic, consumerId: names.own, heartbeatIntervalMs: 100, onAssign, onRevoke };
  const consumer = new FluxRuntime({ brokers: broker.address }).consumer(options);
  scene.onEnd(() => consumer.disconnect());
  consumer.subscribe(topic);
  const running = consumer.run(handler);
  const owned = names.own < names.peer ? [0, 2] : [1]; // round robin, members in the order of their names
  await partitions.count(owned.length);
  assert.equal(await peer.line(), `- ${[0, 1, 2].filter((partition) => owned.includes(partition)).join(" ")}`);

  await produce();
  const peers: string[] = [];
  const own = () => handler.messages.map((message) => `${message.partition} ${message.text}`);
  const ends = await Promise.all([0, 1, 2].map((partition) => flux.offsets(topic, partition, "latest")));
  const sizes = ends.map((end) => end.offsetNumber);
  const ownCount = owned.reduce((sum, partition) => sum + (sizes[partition] as number), 0);
  await handler.count(ownCount);
  while (peers.length < COUNT - ownCount) peers.push((await peer.line()).replace(/^= /, ""));

  await consumer.disconnect(); // what it has handled is committed: nobody gets it again
  await running;
  assert.equal(await peer.line(), `+ ${owned.join(" ")}`);
  assert.equal(await peer.end(), 0);
  assert.equal(await peer.line(), "- 0 1 2");
  assert.equal(await peer.line(), "left");

  const all = [...own(), ...peers];
  assert(
    own().every((each) => owned.includes(Number(each[0]))) && peers.every((each) => !owned.includes(Number(each[0]))),
  );
  assert.deepEqual(
    all.map((each) => Number(each.slice(2))).sort((one, other) => one - other),
    [...Array(COUNT).keys()],
  );
  const committed = await Promise.all([0, 1, 2].map((partition) => flux.offset(topic, topic, partition)));
  assert.deepEqual(
    committed.map((each) => each.offsetNumber),
    sizes,
  );
}

test("Python produces, and TypeScript shares the records with a Python member, each once", () =>
  inScene(async (scene) => {
    const produce = async () => {
      const peer = new Program(PYTHON, [PEER, "produce", broker.address, scene.topic, String(COUNT)]);
      scene.onEnd(() => peer.kill());
      assert.equal(await peer.line(), `produced ${COUNT}`);
      assert.equal(await peer.end(), 0);
    };
    await share(scene, produce, { own: "a-typescript", peer: "b-python" });
  }));

test("TypeScript produces, and Python shares the records with a TypeScript member, each once", () =>
  inScene(async (scene) => {
    const produce = async () => {
      const producer = new FluxRuntime({ brokers: broker.address }).producer({ lingerMs: 2 });
      const numbers = [...Array(COUNT).keys()].map(String);
      await Promise.all(numbers.map((number) => producer.send(scene.topic, number, number)));
      await producer.close();
    };
    await share(scene, produce, { own: "b-typescript", peer: "a-python" });
  }));
