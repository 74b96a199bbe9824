/**
 * REVISION=COMMIT node tools/build.ts
 * Builds dist/main.js and the parts that it loads on demand. esbuild splits ES modules only, so each becomes
 * CommonJS afterwards, which node loads faster.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, transform } from "esbuild";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");
const options = { target: "node24", platform: "node", minifySyntax: true, legalComments: "none" } as const;

const { outputFiles } = await build({
  ...options,
  entryPoints: [join(root, "src/main.ts")],
  bundle: true,
  splitting: true,
  format: "esm",
  chunkNames: "parts/[name]-[hash]",
  external: ["pg-native"],
  define: { REVISION: JSON.stringify(process.env.REVISION || "unknown") },
  outdir: dist,
  write: false,
});
rmSync(join(dist, "parts"), { recursive: true, force: true });
mkdirSync(join(dist, "parts"), { recursive: true });
for (const { path, text } of outputFiles) {
  const { code } = await transform(text, {
    ...options,
    format: "cjs",
    supported: { "dynamic-import": false },
  });
  writeFileSync(path, code, { mode: path.endsWith("main.js") ? 0o755 : 0o644 });
}
writeFileSync(join(dist, "package.json"), JSON.stringify({ type: "commonjs" }));
