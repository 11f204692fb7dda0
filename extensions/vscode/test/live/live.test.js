/**
 * The extension with a real API. `ORCHESTRATOR_URL` is its address; `ORCHESTRATOR_STAGE` is where things are made to
 * happen behind it. tests/extensions/test_vscode.py starts both, and then this.
 */
"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { editor } = require("../editor");

const URL_ = process.env.ORCHESTRATOR_URL;

/** Have something happen behind the API. */
async function stage(act) {
  const answer = await fetch(`${process.env.ORCHESTRATOR_STAGE}/${act}`, { method: "POST" });
  assert.equal(answer.status, 200);
  return answer.text();
}

test("from no token to an incident that is taken", { timeout: 30_000 }, async (context) => {
  const { seen, context: extension, end } = editor({ "orchestrator.url": URL_, "orchestrator.statusEvery": 3600 });
  context.after(end);
  const told = (text) => seen.notifications.until((all) => all.some((one) => one.text.includes(text)));

  await require("../../src/extension").activate(extension);
  assert.match(seen.bar.value.text, /^\$\(key\)/);
  assert.match(seen.bar.value.tooltip, /a token is needed/);

  seen.typed = await stage("token");
  await seen.commands["orchestrator.setToken"]();
  assert.equal(seen.asked.password, true);
  assert.equal(seen.asked.validateInput("hunter2") === undefined, false);
  assert.equal(seen.asked.validateInput(seen.typed), undefined);
  assert.deepEqual([...seen.secrets.keys()], [`token ${URL_}`]);
  await seen.bar.until((bar) => /^\$\(pulse\) \d+ %  \$\(bell\) 0$/.test(bar.text) && !bar.tooltip.includes("not heard"));

  await stage("alert");
  const [first] = await told("said by a program");
  assert.deepEqual([first.as, first.text], ["error", "CRITICAL: said by a program"]);

  await stage("incident");
  await told("d00");
  await seen.bar.until((bar) => bar.text.includes("$(bell-dot) 1"));
  const [incident] = seen.list.getChildren();
  assert.match(incident.label, /d00/);
  assert.ok(seen.list.getChildren(incident).some((line) => line.label.includes("dataset.failed d00")));

  await seen.commands["orchestrator.acknowledge"](incident);
  assert.equal(seen.list.getChildren()[0].contextValue, "taken");
  assert.match(seen.list.getChildren()[0].description, /token:editor takes it/);

  await stage("away"); // the API ends, something is said meanwhile, the API is back
  await told("said while nobody listened");
  await seen.bar.until((bar) => bar.text.includes("$(bell-dot) 1") && !bar.tooltip.includes("not heard"));
  assert.equal(seen.notifications.value.filter((one) => one.text.includes("said by a program")).length, 1);

  await seen.commands["orchestrator.forgetToken"]();
  assert.equal(seen.secrets.size, 0);
  assert.match(seen.bar.value.text, /^\$\(key\)/);
});

test("another address gets no token, and one that is none is told", { timeout: 30_000 }, async (context) => {
  const { seen, context: extension, end } = editor({ "orchestrator.url": "http://127.0.0.1:9", "orchestrator.statusEvery": 3600 });
  context.after(end);
  seen.secrets.set(`token ${URL_}`, "cdo_secret");

  await require("../../src/extension").activate(extension);
  assert.match(seen.bar.value.tooltip, /127\.0\.0\.1:9 does not answer/);

  seen.settings["orchestrator.url"] = "no address";
  seen.configured.fire({ affectsConfiguration: (name) => name === "orchestrator.url" });
  await seen.bar.until((bar) => bar.tooltip.includes("is no address"));
});
