import assert from "node:assert/strict";
import type { Agent, Wanted } from "../../src/agents/agent.js";
import { FluxError } from "../../src/index.js";

/** An agent, a clock, and what it wants: calls, whose outcomes the test tells. */
export class AgentScene {
  readonly agent: Agent;
  nowMs = 100_000;
  /** Under way, in the order in which they were wanted. */
  readonly open: Wanted[] = [];

  constructor(agent: Agent) {
    this.agent = agent;
  }

  /** Everything under way, as requests. */
  calls(): string[] {
    this.open.push(...this.agent.wants(this.nowMs));
    return this.open.map(({ call }) => `${call.command} ${call.encode()}`.trimEnd());
  }

  /** The oldest call that begins like this has this outcome. */
  tell(begin: string, outcome: unknown): void {
    const at = this.calls().findIndex((call) => call.startsWith(begin));
    assert(at >= 0, `nobody asked for ${begin}: ${this.calls()}`);
    tell(this.open.splice(at, 1)[0] as Wanted, outcome, this.nowMs);
  }

  /** To when it wants to be asked; how long that was. */
  advance(): number {
    const { wakeAtMs } = this.agent;
    assert(wakeAtMs !== undefined, "it wants to be woken");
    const waitedMs = wakeAtMs - this.nowMs;
    this.nowMs = wakeAtMs;
    return waitedMs;
  }
}

/** One call's outcome: an error, or what it is answered. */
export function tell(wanted: Wanted, outcome: unknown, nowMs: number): void {
  if (outcome instanceof FluxError) wanted.failed(outcome, nowMs);
  else wanted.then(outcome, nowMs);
}
