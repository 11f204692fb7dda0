/** Listens to what people are told, and comes back after every loss without missing or repeating anything. */
"use strict";

/** Milliseconds until the first new try; each further one waits twice as long, to `LONGEST_MS` at most. */
const FIRST_MS = 1_000;
const LONGEST_MS = 60_000;

/** The server says something every 25 seconds. What is silent for longer than twice that is dead. */
const SILENT_MS = 60_000;

/** The server does not want us: what we asked for is wrong, so asking again would not help. */
const REFUSED = 1008;

/**
 * @typedef {{id: string, time: string, type: string, kind: string, source: string, incident: string | null,
 *   datasets: string[], seq: number | null}} Context
 * @typedef {{type: "alert", severity: "info" | "warning" | "error" | "critical", title: string, message: string,
 *   context: Context}} Alert
 * @typedef {{state: "connecting" | "connected" | "waiting" | "refused", reason: string}} State
 */

class AlertStream {
  /**
   * @param {object} options
   * @param {(since: number | undefined) => string} options.address
   * @param {(alert: Alert) => void} options.onAlert
   * @param {(state: State) => void} options.onState
   * @param {number} [options.since] Where to begin; default: with what happens from now on.
   * @param {any} [options.WebSocket]
   * @param {{setTimeout: Function, clearTimeout: Function}} [options.timers]
   * @param {() => number} [options.random]
   */
  constructor({ address, onAlert, onState, since, WebSocket = globalThis.WebSocket, timers = globalThis, random = Math.random }) {
    this.address = address;
    this.onAlert = onAlert;
    this.onState = onState;
    this.since = since;
    this.WebSocket = WebSocket;
    this.timers = timers;
    this.random = random;
    this.losses = 0;
    this.stopped = true;
  }

  start() {
    this.stopped = false;
    this.connect();
  }

  stop() {
    this.stopped = true;
    this.timers.clearTimeout(this.timer);
    this.drop();
  }

  connect() {
    this.onState({ state: "connecting", reason: "" });
    const socket = new this.WebSocket(this.address(this.since));
    this.socket = socket;
    const current = (/** @type {(event: any) => void} */ act) => (/** @type {any} */ event) => {
      if (this.socket === socket) act(event); // what an abandoned one still says is nobody's business
    };
    socket.addEventListener("message", current((event) => this.heard(event.data)));
    socket.addEventListener("close", current((event) => this.lost(event.code, event.reason)));
    socket.addEventListener("error", () => {}); // `close` follows, and says more
    this.expect();
  }

  /** @param {string} text */
  heard(text) {
    this.expect();
    let told;
    try {
      told = JSON.parse(text);
    } catch {
      return;
    }
    if (told.type === "subscribed") {
      this.losses = 0;
      this.since ??= told.seq;
      this.onState({ state: "connected", reason: "" });
    } else if (told.type === "alert") {
      this.reached(told.context.seq);
      this.onAlert(told);
    } else if (told.type === "dropped") {
      this.since = told.since; // we were too slow: all of it once more, from where it began to be left out
      this.drop();
      this.connect();
    } else {
      this.reached(told.seq);
    }
  }

  /** Everything up to a position was heard. @param {number | null | undefined} seq */
  reached(seq) {
    if (typeof seq === "number") this.since = Math.max(this.since ?? 0, seq);
  }

  /** @param {number} code @param {string} reason */
  lost(code, reason) {
    this.drop();
    if (this.stopped) return;
    if (code === REFUSED) {
      this.timers.clearTimeout(this.timer);
      this.onState({ state: "refused", reason });
      return;
    }
    const wait = backoff(this.losses++, this.random());
    this.onState({ state: "waiting", reason: reason || "no connection" });
    this.again(() => this.connect(), wait);
  }

  /** Something has to be heard soon, else the connection is given up. */
  expect() {
    this.again(() => this.lost(0, "nothing was heard for a minute"), SILENT_MS);
  }

  /** @param {() => void} act @param {number} wait */
  again(act, wait) {
    this.timers.clearTimeout(this.timer);
    this.timer = this.timers.setTimeout(act, wait);
  }

  drop() {
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }
}

/**
 * Milliseconds until the next try: half of it sure and half of it by chance, so that many editors do not come at once.
 * @param {number} losses In a row. @param {number} chance 0 to 1.
 */
function backoff(losses, chance) {
  const most = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(losses, 16));
  return most / 2 + (most / 2) * chance;
}

module.exports = { AlertStream, backoff, FIRST_MS, LONGEST_MS, SILENT_MS };
