// Both module systems from one source: dist/esm and dist/cjs, each with its own types.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const root = new URL("../", import.meta.url);
const tsc = createRequire(import.meta.url).resolve("typescript/bin/tsc");

rmSync(new URL("dist", root), { recursive: true, force: true });
mkdirSync(new URL("dist/cjs", root), { recursive: true });
// The package says "module"; without this Node would take the CommonJS half for ES modules.
writeFileSync(new URL("dist/cjs/package.json", root), '{ "type": "commonjs" }\n');

const compiled = ["tsconfig.json", "tsconfig.cjs.json"].map((project) =>
  once(spawn(process.execPath, [tsc, "-p", project], { cwd: root, stdio: "inherit" }), "exit"),
);
const failed = (await Promise.all(compiled)).some(([status]) => status !== 0);
process.exit(failed ? 1 : 0);
