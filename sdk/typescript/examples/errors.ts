/** What can go wrong, and what to do about it. */

import { FluxClient, FluxError } from "flux-broker-client";

const client = new FluxClient({ brokers: process.env["FLUX_BROKERS"] ?? "127.0.0.1:9092", timeoutMs: 5000 });

try {
  await client.produce("not a topic", "key", "value");
} catch (error) {
  if (!(error instanceof FluxError)) throw error;
  if (error.code === "OUTCOME_UNKNOWN") console.log("it may have been appended: look before sending it again");
  else if (error.retriable) console.log("nothing was done; trying again later may help");
  else console.log(`${error.code}: trying again will not help`);
}

// Wait for a record, but not for long: a call is given up by its signal.
const page = await client
  .consume("nothing-yet", 0, 0, { waitMs: 60_000, signal: AbortSignal.timeout(100) })
  .catch((error: unknown) => console.log(`gave up: ${(error as Error).name}`));
console.log(page?.messages.length ?? 0, "messages");

await client.close();
