// Looks at what would be published, as it is packed: by publint, and by attw for every way to resolve its types.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cwd = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "flux-pack-"));
try {
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd, encoding: "utf8" });
  const tarball = join(folder, packed.trim().split("\n").at(-1));
  for (const command of [
    ["publint", tarball, "--strict"],
    ["attw", tarball],
  ]) {
    execFileSync("npx", ["--no-install", ...command], { cwd, stdio: "inherit" });
  }
} catch (error) {
  process.exitCode = error.status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
