"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { Notifications, AT_ONCE } = require("../src/notifications");
const { statusOf } = require("../src/status_bar");
const { Api, ApiError } = require("../src/api");
const { editor, timers } = require("./editor");

function alert(severity, { kind = "opened", incident = "3f9c2a1b", title = "orders failed" } = {}) {
  return { type: "alert", severity, title, message: "why", context: { kind, incident, time: "t", datasets: [] } };
}

function telling(from = "info") {
  const { seen, vscode } = editor();
  const done = [];
  const clock = timers();
  const notifications = new Notifications(vscode.window, {
    from: () => from,
    details: (one) => done.push(`details of ${one.title}`),
    acknowledge: (incident) => done.push(`take ${incident}`),
    list: () => done.push("list"),
    timers: clock,
  });
  return { seen, done, clock, notifications };
}

test("each severity has its own kind of notification", async () => {
  for (const [severity, as, text] of [
    ["info", "information", "orders failed"],
    ["warning", "warning", "orders failed"],
    ["error", "error", "orders failed"],
    ["critical", "error", "CRITICAL: orders failed"],
  ]) {
    const { seen, notifications } = telling();
    await notifications.tell(alert(severity));
    assert.deepEqual(seen.notifications.value, [{ as, text, actions: ["Details", "Acknowledge"] }]);
  }
});

test("the end of an incident is good news, and nobody takes it any more", async () => {
  const { seen, notifications } = telling();

  await notifications.tell(alert("critical", { kind: "resolved" }));

  assert.deepEqual(seen.notifications.value, [{ as: "information", text: "orders failed", actions: ["Details"] }]);
});

test("what is less grave than was asked for is not shown", async () => {
  const { seen, notifications } = telling("error");

  await notifications.tell(alert("warning"));
  await notifications.tell(alert("error"));

  assert.equal(seen.notifications.value.length, 1);
});

test("a click does what it says", async () => {
  const { seen, done, notifications } = telling();
  for (const chosen of ["Details", "Acknowledge"]) {
    seen.chosen = chosen;
    await notifications.tell(alert("error"));
  }

  assert.deepEqual(done, ["details of orders failed", "take 3f9c2a1b"]);
});

test("a storm is a few notifications and one that counts the rest", async () => {
  const { seen, done, clock, notifications } = telling();
  seen.chosen = "Show";
  for (let number = 0; number < 40; number += 1) await notifications.tell(alert("error"));
  assert.equal(seen.notifications.value.length, AT_ONCE);

  await clock.fire();
  await notifications.tell(alert("error", { title: "afterwards" }));

  assert.equal(seen.notifications.value[AT_ONCE].text, "37 more alerts within ten seconds");
  assert.deepEqual(done, ["list"]);
  assert.equal(seen.notifications.value.at(-1).text, "afterwards");
});

test("a title with line breaks is one line, and a long one is cut", async () => {
  const { seen, notifications } = telling();

  await notifications.tell(alert("error", { title: `a\n b${"c".repeat(1000)}` }));

  assert.match(seen.notifications.value[0].text, /^a bc{297}$/);
});

const overview = (cpu = 12.4) => ({
  app: "shop",
  sentence: "All is well.",
  host: { latest: cpu === null ? null : { cpu_percent: cpu, memory_percent: 40 } },
});

test("the status bar has CPU and open incidents, and the colour of the gravest", () => {
  for (const [incidents, text, background] of [
    [[], "$(pulse) 12 %  $(bell) 0", ""],
    [["warning", "warning"], "$(pulse) 12 %  $(bell-dot) 2", ""],
    [["error", "info"], "$(pulse) 12 %  $(bell-dot) 2", "warningBackground"],
    [["error", "critical"], "$(pulse) 12 %  $(bell-dot) 2", "errorBackground"],
  ]) {
    const shown = statusOf("connected", overview(), incidents.map((severity) => ({ severity })), "");
    assert.deepEqual([shown.text, shown.background], [text, background]);
    assert.match(shown.tooltip, /^shop: All is well\.\nCPU 12 %, memory 40 %$/);
  }
});

test("the status bar says what it does not know", () => {
  assert.equal(statusOf("connected", overview(null), [], "").text, "$(pulse) –  $(bell) 0");
  assert.equal(statusOf("away", overview(), [], "nobody answers").text, "$(debug-disconnect) Orchestrator");
  assert.equal(statusOf("denied", undefined, [], "a token is needed").command, "orchestrator.setToken");
  assert.match(statusOf("waiting", overview(), [], "").tooltip, /not heard at the moment/);
});

test("errors of the API say what was wrong and what to do", async () => {
  const answer = (status, body) => async () => new Response(body, { status });
  const asked = (fetcher) => new Api("http://here/", "cdo_x", fetcher).incidents();

  const problem = JSON.stringify({ detail: "a token is needed", hint: "make one" });
  await assert.rejects(asked(answer(401, problem)), new ApiError(401, "a token is needed", "make one"));
  await assert.rejects(asked(answer(502, "<html>")), /answered 502, and not as the API does/);
  const away = async () => Promise.reject(new Error("refused"));
  await assert.rejects(asked(away), { status: 0, denied: false, message: "http://here does not answer" });
});

test("the token goes into the header, and only for the stream into the address", async () => {
  const asked = [];
  const api = new Api("https://here:1/", "cdo_x", async (url, options) => {
    asked.push([url, options.headers.Authorization, options.redirect]);
    return new Response('{"incidents": []}');
  });

  await api.incidents();

  assert.deepEqual(asked, [["https://here:1/api/v1/incidents", "Bearer cdo_x", "error"]]);
  assert.equal(api.streamUrl(7), "wss://here:1/ws?since=7&auth_token=cdo_x");
});
