import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readOutput } from "../../src/config/job-settings.ts";
import { fill } from "../../src/messages/define.ts";

describe("the language of what people read", () => {
  const cases: [string, Record<string, string>, "en" | "zh"][] = [
    ["is English where nothing says otherwise", {}, "en"],
    ["is what LOG_LANG says, whatever the locale", { LOG_LANG: "en", LC_ALL: "zh_CN.UTF-8" }, "en"],
    ["is Chinese by LOG_LANG", { LOG_LANG: "zh" }, "zh"],
    ["follows LANG", { LANG: "zh_CN.UTF-8" }, "zh"],
    ["follows LC_MESSAGES before LANG", { LC_MESSAGES: "zh_TW", LANG: "C" }, "zh"],
    ["follows LC_ALL before the others", { LC_ALL: "C.UTF-8", LC_MESSAGES: "zh_CN", LANG: "zh_CN" }, "en"],
    ["takes an empty variable for one that is not set", { LC_ALL: "", LANG: "zh_CN.UTF-8" }, "zh"],
    ["follows the locale with auto, and with a bad value", { LOG_LANG: "auto", LANG: "zh_CN" }, "zh"],
  ];
  for (const [name, environment, language] of cases) {
    test(name, () => assert.equal(readOutput(environment).language, language));
  }
});

describe("a sentence with parameters", () => {
  const cases: [string, string, object, string][] = [
    ["names them", "{entry} -> {target}", { entry: "a", target: 1 }, "a -> 1"],
    ["has a number's noun", "{rows:row}, {files:file}", { rows: 1, files: 2 }, "1 row, 2 files"],
    ["has bytes in their unit", "{bytes:size}", { bytes: 1536 }, "1.5 KiB"],
    ["joins a list", "{a: and }; {b:、}", { a: ["x", "y"], b: ["p", "q"] }, "x and y; p、q"],
    [
      "leaves braces of others as they are",
      "{said} {} { x }",
      { said: "{entry}", entry: "a" },
      "{entry} {} { x }",
    ],
    ["leaves replacement patterns of others as they are", "a {said} b", { said: "$& $1 $$" }, "a $& $1 $$ b"],
  ];
  for (const [name, text, params, expected] of cases) {
    test(name, () => assert.equal(fill(text, params), expected));
  }
});
