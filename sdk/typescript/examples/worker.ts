/** A worker that runs until it is told to stop: each message is handled at least once. */

import { FluxRuntime, type Message } from "flux-broker-client";

const runtime = new FluxRuntime({ brokers: process.env["FLUX_BROKERS"] ?? "127.0.0.1:9092" });
const consumer = runtime.consumer({
  groupId: "billing",
  onAssign: (partitions) => console.log("assigned", partitions.map((each) => each.partition).join(" ")),
  onRevoke: (partitions) => console.log("revoked", partitions.map((each) => each.partition).join(" ")),
  onError: (error) => console.error(`${error.code}: ${error.message}; trying again`),
});

async function bill(message: Message): Promise<void> {
  // If this fails, it gets the message again, four times in all; then run() fails with its error.
  console.log("billed", message.text);
}

process.once("SIGTERM", () => consumer.disconnect()); // commits what is handled, and leaves the group

consumer.subscribe(["invoices"]);
await consumer.run({ eachMessage: bill });
console.log("stopped");
