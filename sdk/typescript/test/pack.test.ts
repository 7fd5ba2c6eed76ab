/** What is published, as others use it: packed, installed into an empty project, with every kind of import, and with the examples. */

import assert from "node:assert/strict";
import { type ExecFileOptions, execFile } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { FluxClient } from "../src/index.js";
import { VERSION } from "../src/version.js";
import { BrokerProcess, Program } from "./support/broker.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TSC = createRequire(import.meta.url).resolve("typescript/bin/tsc");

const broker = new BrokerProcess();
const project = mkdtempSync(join(tmpdir(), "flux-project-"));

/** A program's output; it has to succeed. */
async function run(command: string, args: string[], options: ExecFileOptions = {}): Promise<string> {
  const env = { ...process.env, FLUX_BROKERS: broker.address };
  try {
    const { stdout } = await promisify(execFile)(command, args, { cwd: project, env, ...options });
    return String(stdout);
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${command} ${args.join(" ")}:\n${stdout}${stderr}`, { cause: error });
  }
}

function write(name: string, content: string | object): void {
  writeFileSync(join(project, name), typeof content === "string" ? content : JSON.stringify(content));
}

/** Compile some files of the project, as its `tsconfig.json` says. */
function compile(compilerOptions: object, files: readonly string[]): Promise<string> {
  const common = { target: "ES2022", lib: ["ES2022"], types: ["node"], strict: true, skipDefaultLibCheck: true };
  const careful = { exactOptionalPropertyTypes: true, noPropertyAccessFromIndexSignature: true };
  write("tsconfig.json", { compilerOptions: { ...common, ...careful, ...compilerOptions }, files });
  return run(process.execPath, [TSC, "-p", "."]);
}

before(async () => {
  const packed = await run("npm", ["pack", "--silent", "--pack-destination", project], { cwd: ROOT });
  const tarball = packed.trim().split("\n").at(-1) as string;
  write("package.json", { name: "project", private: true });
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", `./${tarball}`]);
  // What a project in TypeScript has anyway.
  const types = dirname(createRequire(import.meta.url).resolve("@types/node/package.json"));
  cpSync(types, join(project, "node_modules", "@types", "node"), { recursive: true });
  symlinkSync(join(dirname(dirname(types)), "undici-types"), join(project, "node_modules", "undici-types"));
  await broker.start();
});

after(async () => {
  await broker.remove();
  rmSync(project, { recursive: true, force: true });
});

test("the package has no dependencies, and knows its own version", () => {
  const installed = join(project, "node_modules", "flux-broker-client");
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
  assert.equal(manifest.dependencies, undefined);
  assert.equal(manifest.version, VERSION);
  assert.deepEqual(readdirSync(installed).sort(), ["LICENSE", "README.md", "dist", "package.json", "src"]);
});

const USE = `
const client = new FluxClient({ brokers: process.env.FLUX_BROKERS });
client.produce("packed", "k", "v")
  .then(({ partition, offset }) => client.consume("packed", partition, offset, { maxRecords: 1 }))
  .then((page) => console.log([...page].map((message) => message.text).join(), typeof page.nextOffset))
  .then(() => client.close());
`;

test("it works from an ES module", async () => {
  write("use.mjs", `import { FluxClient } from "flux-broker-client";${USE}`);
  assert.equal(await run(process.execPath, ["use.mjs"]), "v bigint\n");
});

test("it works from CommonJS", async () => {
  write("use.cjs", `const { FluxClient } = require("flux-broker-client");${USE}`);
  assert.equal(await run(process.execPath, ["use.cjs"]), "v bigint\n");
});

const TYPED = `
import { FluxClient, type FluxError, type Produced } from "flux-broker-client";

const client: FluxClient = new FluxClient({ brokers: [process.env["FLUX_BROKERS"] ?? ""] });
async function main(): Promise<void> {
  const produced: Produced = await client.produce("packed", new Uint8Array([1]), "typed", { acks: "all" });
  const offset: bigint = produced.offset;
  // @ts-expect-error a value is text or bytes
  const refused: Promise<Produced> = client.produce("no topic", "k", 5);
  await refused.catch((error: FluxError) => console.log(error.code, error.retriable));
  const [message] = await client.consume("packed", produced.partition, offset);
  console.log(message?.text);
  await client.close();
}
void main();
`;

test("it works from TypeScript with moduleResolution node16", async () => {
  write("typed.mts", TYPED);
  write("typed.cts", TYPED);
  await compile({ module: "Node16", moduleResolution: "Node16" }, ["typed.mts", "typed.cts"]);
  assert.equal(await run(process.execPath, ["typed.mjs"]), "BAD_REQUEST false\ntyped\n");
  assert.equal(await run(process.execPath, ["typed.cjs"]), "BAD_REQUEST false\ntyped\n");
});

test("it works from TypeScript with moduleResolution bundler, and so do the examples", async () => {
  const names = readdirSync(join(ROOT, "examples")).map((name) => name.replace(".ts", ""));
  assert.deepEqual(names, ["errors", "quick-start", "worker"]);
  for (const name of names) cpSync(join(ROOT, "examples", `${name}.ts`), join(project, `${name}.mts`));
  write("bundled.mts", TYPED);
  const files = ["bundled", ...names].map((name) => `${name}.mts`);
  await compile({ module: "ESNext", moduleResolution: "Bundler" }, files);
  assert.equal(await run(process.execPath, ["bundled.mjs"]), "BAD_REQUEST false\ntyped\n");

  assert.match(
    await run(process.execPath, ["quick-start.mjs"]),
    /^in partition 2 at offset 0\nuser1 \{ status: 'created' \}\n$/,
  );
  assert.equal(
    await run(process.execPath, ["errors.mjs"]),
    "BAD_REQUEST: trying again will not help\ngave up: TimeoutError\n0 messages\n",
  );

  const client = new FluxClient({ brokers: broker.address });
  await client.adminCreateTopic("invoices", 1);
  const worker = new Program(process.execPath, ["worker.mjs"], {
    cwd: project,
    env: { ...process.env, FLUX_BROKERS: broker.address },
  });
  try {
    assert.equal(await worker.line(), "assigned 0");
    await client.produce("invoices", "k", "5 euros");
    assert.equal(await worker.line(), "billed 5 euros");
    worker.terminate();
    assert.equal(await worker.line(), "revoked 0");
    assert.equal(await worker.line(), "stopped");
    assert.equal(await worker.end(), 0);
    assert.equal((await client.offset("billing", "invoices", 0)).offset, 1n);
  } finally {
    await worker.kill();
    await client.close();
  }
});

test("the README shows the examples as they are", () => {
  const readme = readFileSync(join(ROOT, "README.md"), "utf8");
  for (const name of readdirSync(join(ROOT, "examples"))) {
    const code = readFileSync(join(ROOT, "examples", name), "utf8");
    assert(readme.includes(`\`\`\`ts\n${code}\`\`\``), `README.md shows another examples/${name}`);
  }
});
