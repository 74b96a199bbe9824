import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

const read = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8");
const dockerfile = read("Dockerfile");

describe("Dockerfile", () => {
  test("builds and runs with one Node: the tests' own", () => {
    const { devDependencies } = JSON.parse(read("package.json"));
    const tags = [...dockerfile.matchAll(/^FROM .*\/node:(\S+)/gm)].map(([, tag]) => tag);
    assert.deepEqual(tags, [
      `${devDependencies.node}-bookworm-slim`,
      `${devDependencies.node}-bookworm-slim`,
    ]);
    assert.ok(devDependencies.node.startsWith(`${read(".node-version").trim()}.`));
  });

  test("builds from everything that `npm run build` reads, and no ignore rule hides it", () => {
    for (const name of ["package.json", "package-lock.json", "tsconfig.json", "src"]) {
      assert.match(dockerfile, new RegExp(`^COPY (?:\\S+ )*${name} `, "m"));
      assert.match(read(".dockerignore"), new RegExp(`^!${name}$`, "m"));
    }
  });

  test("asks for nothing newer than Docker 20.10's classic builder", () => {
    assert.doesNotMatch(dockerfile, /^# *syntax=|^RUN --|--chmod|--link|<<EOF/m);
  });

  test("takes base image and packages from a mirror where told so", () => {
    for (const [, image = ""] of dockerfile.matchAll(/^FROM (?:--\S+ )?(\S+)/gm)) {
      assert.ok(image.startsWith("${".concat("REGISTRY}/")) || !image.includes("/"), image);
    }
    assert.match(dockerfile, /ARG NPM_REGISTRY\n/);
  });
});
