"use strict";

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { AlertStream, backoff, FIRST_MS, LONGEST_MS, SILENT_MS } = require("../src/stream");
const { timers } = require("./editor");

/** A stream over sockets that say what the test says. */
function streaming(options = {}) {
  const sockets = [];
  class Socket {
    constructor(url) {
      Object.assign(this, { url, listeners: {}, closed: false });
      sockets.push(this);
    }
    addEventListener(name, act) {
      this.listeners[name] = act;
    }
    close() {
      this.closed = true;
    }
    say(told) {
      this.listeners.message({ data: JSON.stringify(told) });
    }
    end(code = 1006, reason = "") {
      this.listeners.close({ code, reason });
    }
  }
  const alerts = [];
  const states = [];
  const clock = timers();
  const stream = new AlertStream({
    address: (since) => `ws://here/${since ?? ""}`,
    onAlert: (alert) => alerts.push(alert.title),
    onState: ({ state, reason }) => states.push(reason ? `${state}: ${reason}` : state),
    WebSocket: Socket,
    timers: clock,
    random: () => 1,
    ...options,
  });
  stream.start();
  return { stream, sockets, alerts, states, clock };
}

const alert = (title, seq) => ({ type: "alert", severity: "error", title, message: "", context: { seq } });

test("alerts are handed on in order, and it says that it is connected", () => {
  const { sockets, alerts, states } = streaming();

  sockets[0].say({ type: "subscribed", topics: ["alerts"], seq: 7 });
  sockets[0].say(alert("first", 8));
  sockets[0].say(alert("second", 9));

  assert.deepEqual(alerts, ["first", "second"]);
  assert.deepEqual(states, ["connecting", "connected"]);
});

test("after a loss it comes back after the last position that it heard of", () => {
  const { sockets, clock } = streaming();
  sockets[0].say({ type: "subscribed", seq: 7 });
  sockets[0].say(alert("first", 8));
  sockets[0].say({ type: "heartbeat", seq: 12 });

  sockets[0].end();
  clock.fire();

  assert.deepEqual(sockets.map((one) => one.url), ["ws://here/", "ws://here/12"]);
});

test("what was dropped is asked for again at once, from where it began to be left out", () => {
  const { sockets, alerts } = streaming();
  sockets[0].say({ type: "subscribed", seq: 7 });
  sockets[0].say(alert("first", 8));

  sockets[0].say({ type: "dropped", events: 3, since: 8 });
  sockets[0].say(alert("the fifth", 12));

  assert.deepEqual([sockets[0].closed, sockets[1].url], [true, "ws://here/8"]);
  assert.deepEqual(alerts, ["first"], "it comes in its turn");
});

test("each try waits twice as long, to a minute at most, and a connection begins anew", () => {
  const { sockets, clock } = streaming();
  const waits = [];
  for (let tries = 0; tries < 9; tries += 1) {
    sockets.at(-1).end();
    waits.push(clock.waits()[0]);
    clock.fire();
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000));

  sockets.at(-1).say({ type: "subscribed", seq: 1 });
  sockets.at(-1).end();

  assert.deepEqual(clock.waits(), [FIRST_MS]);
});

test("half of a wait is chance, so that many editors do not come at once", () => {
  assert.deepEqual([backoff(0, 0), backoff(0, 1), backoff(99, 0), backoff(99, 1)], [500, 1000, LONGEST_MS / 2, LONGEST_MS]);
});

test("a connection on which nothing is heard for a minute is given up", () => {
  const { sockets, states, clock } = streaming();
  sockets[0].say({ type: "subscribed", seq: 7 });
  assert.deepEqual(clock.waits(), [SILENT_MS]);

  clock.fire();
  sockets[0].say(alert("too late", 8));
  clock.fire();

  assert.equal(sockets[0].closed, true);
  assert.equal(sockets[1].url, "ws://here/7", "what an abandoned socket still says does not count");
  assert.equal(states[2], "waiting: nothing was heard for a minute");
});

test("where the server refuses what was asked, it is not asked again", () => {
  const { sockets, states, clock } = streaming();

  sockets[0].end(1008, "you say too much");

  assert.deepEqual(clock.waits(), []);
  assert.equal(states.at(-1), "refused: you say too much");
});

test("once stopped nothing is tried any more", () => {
  const { stream, sockets, clock } = streaming();

  stream.stop();
  sockets[0].end();

  assert.deepEqual([sockets[0].closed, sockets.length, clock.waits()], [true, 1, []]);
});

test("what is no JSON is passed over", () => {
  const { sockets, alerts } = streaming();

  sockets[0].listeners.message({ data: "<html>" });
  sockets[0].say(alert("after", 1));

  assert.deepEqual(alerts, ["after"]);
});
