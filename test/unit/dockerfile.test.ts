import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

const read = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8");
const dockerfile = read("Dockerfile");

describe("Dockerfile", () => {
  test("builds and runs with one Node: the tests' own", () => {
    const { devDependencies } = JSON.parse(read("package.json"));
    const [, tag] = /^ARG NODE_TAG=(\S+)$/m.exec(dockerfile) ?? [];
    assert.equal(tag, `${devDependencies.node}-bookworm-slim`);
    const bases = dockerfile.match(
      /^FROM .*\/node:\$\{NODE_TAG\}\$\{NODE_DIGEST:\+@\}\$\{NODE_DIGEST\} AS \w+$/gm,
    );
    assert.equal(bases?.length, 2);
    assert.ok(devDependencies.node.startsWith(`${read(".node-version").trim()}.`));
  });

  test("builds from everything that `npm run build` reads, and no ignore rule hides it", () => {
    for (const name of ["package.json", "package-lock.json", "tsconfig.json", "src", "tools/build.ts"]) {
      assert.match(dockerfile, new RegExp(`^COPY (?:\\S+ )*${name} `, "m"));
      assert.match(read(".dockerignore"), new RegExp(`^!${name}$`, "m"));
    }
  });

  test("asks for nothing newer than Docker 20.10's classic builder", () => {
    assert.doesNotMatch(dockerfile, /^# *syntax=|^RUN --|--chmod|--link|<<EOF/m);
  });

  test("uses base image and packages from a mirror where told so", () => {
    for (const [, image = ""] of dockerfile.matchAll(/^FROM (?:--\S+ )?(\S+)/gm)) {
      assert.ok(image.startsWith("${".concat("REGISTRY}/")) || !image.includes("/"), image);
    }
    assert.match(dockerfile, /ARG NPM_REGISTRY\n/);
  });

  test("the bot finds the base image's tag and digest, and can raise both", () => {
    const [{ matchStrings, autoReplaceStringTemplate }] = JSON.parse(read("renovate.json")).customManagers;
    const found = new RegExp(matchStrings[0]).exec(dockerfile);
    assert.equal(found?.groups?.currentValue, /^ARG NODE_TAG=(.*)$/m.exec(dockerfile)?.[1]);
    const raised = autoReplaceStringTemplate
      .replace("{{{newValue}}}", "24.99.0-bookworm-slim")
      .replace("{{{newDigest}}}", `sha256:${"0".repeat(64)}`);
    const next = dockerfile.replace(found?.[0] ?? "", raised);
    assert.equal(new RegExp(matchStrings[0]).exec(next)?.groups?.currentDigest, `sha256:${"0".repeat(64)}`);
  });
});

describe("workflows", () => {
  test("name every action by its commit, with the version beside it", () => {
    for (const name of ["ci", "release"]) {
      const uses = read(`.github/workflows/${name}.yml`).match(/^.*\buses: .*$/gm) ?? [];
      assert.ok(uses.length > 0);
      for (const line of uses) assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    }
  });
});
