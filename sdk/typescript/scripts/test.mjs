// npm test [-- <part of a file's name> …]: finds a Python that has Flux, compiles, and runs the tests with brokers of its own.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const repository = join(root, "..", "..");

const python = process.env.FLUX_PYTHON ?? besideFlux() ?? ownEnvironment();
if (!hasFlux(python)) fail(`FLUX_PYTHON: ${python} has no Flux; install it there, or leave the variable out`);
process.env.FLUX_PYTHON = python; // for the tests

run(process.execPath, [join(root, "scripts", "clean.mjs"), "build"]);
run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.test.json"]);
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, "build", "test"), { recursive: true })
  .filter((name) => name.endsWith(".test.js") && (wanted.length === 0 || wanted.some((part) => name.includes(part))))
  .map((name) => join(root, "build", "test", name))
  .sort();
if (files.length === 0) fail(`no test's name holds ${wanted.join(" or ")}`);
run(process.execPath, ["--test", "--test-timeout=120000", ...files]);

/** The Python whose `flux` command is found first; others have commands of that name too. */
function besideFlux() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const found = join(folder, "python");
    if (existsSync(join(folder, "flux")) && existsSync(found) && hasFlux(found)) return found;
  }
  return undefined;
}

/** An environment of this package, with the Flux of this repository. */
function ownEnvironment() {
  const folder = join(root, ".flux");
  const found = join(folder, "bin", "python");
  if (!existsSync(found)) {
    console.error("There is no Flux on the PATH: installing this repository's into .flux, once.");
    run("python3", ["-m", "venv", folder]);
  }
  if (!hasFlux(found)) run(found, ["-m", "pip", "install", "--quiet", "--editable", repository]);
  return found;
}

function hasFlux(command) {
  return spawnSync(command, ["-c", "import flux.cli, flux.client"], { cwd: root }).status === 0;
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error !== undefined) fail(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
