/** One installation, looked at: its stream of alerts, and how it stands every few seconds. */
"use strict";

const { AlertStream } = require("./stream");

/** What another process committed is in the API's answers a moment after the alert: then it is looked at once more. */
const SETTLED_MS = 1_000;

class Session {
  /**
   * @param {InstanceType<typeof import("./api").Api>} api
   * @param {object} show What is told to the editor.
   * @param {(alert: import("./stream").Alert) => void} show.alert
   * @param {(incidents: any[]) => void} show.incidents
   * @param {(state: string, overview: any, incidents: any[], reason: string) => void} show.status
   * @param {object} [options]
   * @param {number} [options.everyMs] Between two looks.
   * @param {number} [options.since] Where the stream begins.
   */
  constructor(api, show, { everyMs = 15_000, since } = {}) {
    this.api = api;
    this.show = show;
    this.everyMs = everyMs;
    this.state = "connecting";
    this.reason = "";
    this.overview = undefined;
    /** @type {any[]} */
    this.incidents = [];
    this.ended = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.settling = undefined;
    /** @type {Promise<void> | undefined} */
    this.next = undefined;
    this.stream = new AlertStream({
      address: (after) => api.streamUrl(after),
      since,
      onAlert: (alert) => {
        show.alert(alert);
        this.look();
        clearTimeout(this.settling);
        this.settling = setTimeout(() => this.look(), SETTLED_MS);
      },
      onState: ({ state, reason }) => {
        this.state = state;
        this.reason = reason;
        this.tell();
        // After a loss it says why, which the WebSocket of the platform does not; after a return it says what is now.
        if (state === "waiting" || state === "connected") this.look();
      },
    });
  }

  async start() {
    this.timer = setInterval(() => this.look(), this.everyMs);
    await this.look();
    if (!this.ended && !this.denied) this.stream.start();
  }

  stop() {
    this.ended = true;
    this.rest();
  }

  rest() {
    clearInterval(this.timer);
    clearTimeout(this.settling);
    this.stream.stop();
  }

  /** Look now; one look at a time, and one more when something happened meanwhile. @returns {Promise<void>} */
  look() {
    this.next ??= (this.looking ?? Promise.resolve()).then(() => {
      this.next = undefined;
      this.looking = this.ended ? Promise.resolve() : this.lookOnce();
      return this.looking;
    });
    return this.next;
  }

  async lookOnce() {
    try {
      const [overview, incidents] = await Promise.all([this.api.overview(), this.api.incidents()]);
      if (this.ended) return;
      this.overview = overview;
      this.incidents = incidents;
      this.trouble = undefined;
      this.show.incidents(incidents);
    } catch (/** @type {any} */ error) {
      if (this.ended) return;
      this.trouble = error;
      if (error.denied) this.rest(); // asking again and again with a wrong token only locks us out
    }
    this.tell();
  }

  get denied() {
    return Boolean(this.trouble?.denied);
  }

  tell() {
    const { trouble, overview, incidents } = this;
    const state = !trouble ? this.state : trouble.denied ? "denied" : "away";
    const reason = trouble ? [trouble.message, trouble.hint].filter(Boolean).join("\n") : this.reason;
    this.show.status(state, overview, incidents, reason);
  }
}

module.exports = { Session };
