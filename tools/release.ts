/**
 * npm run release -- 1.2.3
 * Sets the version in package.json and from there in every file that repeats it: lock file, image label, and
 * the image's tag in Compose, Kubernetes and the documentation. The next steps: RELEASING.md.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const REPEATED = ["Dockerfile", "README*.md", "compose.init.yml", "docs/**/*.md", "k8s/**/*.yaml"];
function rewrite(path: string, change: (text: string) => string): void {
  const file = join(root, path);
  const text = readFileSync(file, "utf8");
  const changed = change(text);
  if (changed !== text) writeFileSync(file, changed);
}

function release(version: string): void {
  const changelog = readFileSync(join(root, "CHANGELOG.md"), "utf8");
  if (!changelog.includes(`\n## ${version}\n`)) {
    throw new Error(`CHANGELOG.md has no section "## ${version}": write it first`);
  }
  const { version: previous } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  // An image reference of ours, a tag for kustomize, and the label's default.
  const places = new RegExp(
    `(package-init(?:-bundle)?:|newTag: |ARG VERSION=)${previous.replaceAll(".", "\\.")}(?![.\\d])`,
    "g",
  );
  rewrite("package.json", (text) => text.replace(/("version": ")[^"]+/, `$1${version}`));
  // The package itself stands twice at the lock file's beginning, before all others.
  let left = 2;
  rewrite("package-lock.json", (text) =>
    text.replace(/("version": ")[^"]+/g, (whole, before) => (left-- > 0 ? `${before}${version}` : whole)),
  );
  for (const path of REPEATED.flatMap((pattern) => globSync(pattern, { cwd: root }))) {
    rewrite(path, (text) => text.replace(places, `$1${version}`));
  }
}

try {
  const [version = "", ...others] = process.argv.slice(2);
  if (!/^\d+\.\d+\.\d+(-[0-9a-z]+(\.[0-9a-z]+)*)?$/.test(version) || others.length > 0) {
    throw new Error("usage: npm run release -- 1.2.3");
  }
  release(version);
  console.log(`This is ${version} now. Next: git diff, .ci/run, npm run test:e2e; then RELEASING.md`);
} catch (error) {
  console.error(`release: ${(error as Error).message}`);
  process.exitCode = 1;
}
