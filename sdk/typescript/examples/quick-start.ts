import { FluxRuntime } from "flux-broker-client";

const runtime = new FluxRuntime({ brokers: process.env["FLUX_BROKERS"] ?? "127.0.0.1:9092" });

// Records of one key stay in order. What is acknowledged is on the broker's disk.
const producer = runtime.producer();
const { partition, offset } = await producer.send("orders", "user1", JSON.stringify({ status: "created" }));
console.log(`in partition ${partition} at offset ${offset}`);
await producer.close();

// Members of one group share a topic's partitions, in whatever language they are written.
const consumer = runtime.consumer({ groupId: "shipping" });
consumer.subscribe("orders");
for await (const message of consumer) {
  console.log(message.keyText, message.json());
  break; // or go on for ever
}
consumer.handled(); // the last one too, although no next one is asked for
await consumer.disconnect();
