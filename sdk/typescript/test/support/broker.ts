/** A real broker in a process of its own, and other processes. */

import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const READY = "FLUX READY port=";
const SERVE = "from flux.cli import main; main()";

/** The Python that has Flux, as `scripts/test.mjs` found it. */
export const PYTHON = process.env["FLUX_PYTHON"] ?? "python3";

/** `flux serve` on a port of the system's choice, or on the one it had before. */
export class BrokerProcess {
  port = 0;
  readonly #folder = mkdtempSync(join(tmpdir(), "flux-"));
  #process: ChildProcess | undefined;

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Start it, again too, and wait until it accepts. */
  async start(): Promise<this> {
    const options = ["--port", String(this.port), "--data-dir", join(this.#folder, "data")];
    const settings = ["--set", "disk_low_bytes=0", "--set", "disk_reserve_bytes=0"]; // a test machine may be nearly full
    const log = openSync(this.#log, "a");
    const started = spawn(PYTHON, ["-c", SERVE, "serve", ...options, ...settings], { stdio: ["ignore", "pipe", log] });
    this.#process = started;
    for await (const line of createInterface(started.stdout as NodeJS.ReadableStream)) {
      if (!line.startsWith(READY)) continue;
      this.port = Number(line.slice(READY.length));
      return this;
    }
    throw new Error(`the broker ended before it was ready:\n${readFileSync(this.#log, "utf8")}`);
  }

  /** SIGKILL; fulfilled when it is gone. */
  async kill(): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null) return;
    running.kill("SIGKILL");
    await once(running, "exit");
  }

  /** Leave nothing behind. */
  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #log(): string {
    return join(this.#folder, "log");
  }
}

/** A program, whose lines can be waited for one by one. */
export class Program {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.#process = spawn(command, args, { ...options, stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface(this.#process.stdout as NodeJS.ReadableStream);
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /** The next line it prints. */
  async line(): Promise<string> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("the program has ended");
    return value;
  }

  /** Say something to it. */
  say(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** Its exit status, once it has read to the end of what it was told. */
  async end(): Promise<number | null> {
    this.#process.stdin?.end();
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
    return this.#process.exitCode;
  }

  /** SIGTERM. */
  terminate(): void {
    this.#process.kill("SIGTERM");
  }

  /** SIGKILL, if it still runs. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.end();
  }
}
