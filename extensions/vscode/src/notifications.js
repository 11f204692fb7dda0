/** Which alerts are shown as notifications, as what, and what can be done from there. */
"use strict";

const SEVERITIES = ["info", "warning", "error", "critical"];

/** So many notifications within `CALM_MS`; what comes besides is counted and told in one. */
const AT_ONCE = 3;
const CALM_MS = 10_000;

/**
 * @typedef {import("./stream").Alert} Alert
 */
class Notifications {
  /**
   * @param {any} window Of `vscode`.
   * @param {object} options
   * @param {() => string} options.from The least severity.
   * @param {(alert: Alert) => void} options.details
   * @param {(incident: string) => void} options.acknowledge
   * @param {() => void} options.list Show the list of incidents.
   * @param {{setTimeout: Function, clearTimeout: Function}} [options.timers]
   */
  constructor(window, { from, details, acknowledge, list, timers = globalThis }) {
    this.window = window;
    this.from = from;
    this.details = details;
    this.acknowledge = acknowledge;
    this.list = list;
    this.timers = timers;
    this.shown = 0;
    this.more = 0;
  }

  /** @param {Alert} alert */
  async tell(alert) {
    if (SEVERITIES.indexOf(alert.severity) < SEVERITIES.indexOf(this.from())) return;
    if (this.shown === 0) this.timer = this.timers.setTimeout(() => this.calm(), CALM_MS);
    if (this.shown >= AT_ONCE) {
      this.more += 1;
      return;
    }
    this.shown += 1;
    const { incident, kind } = alert.context;
    const actions = incident && kind === "opened" ? ["Details", "Acknowledge"] : ["Details"];
    const chosen = await this.window[showerOf(alert)](textOf(alert), ...actions);
    if (chosen === "Details") this.details(alert);
    if (chosen === "Acknowledge" && incident) this.acknowledge(incident);
  }

  dispose() {
    this.timers.clearTimeout(this.timer);
  }

  async calm() {
    const more = this.more;
    this.shown = this.more = 0;
    if (!more) return;
    const words = `${more} more ${more === 1 ? "alert" : "alerts"} within ten seconds`;
    if ((await this.window.showWarningMessage(words, "Show")) === "Show") this.list();
  }
}

/** What of `vscode.window` shows it. That something is over is no error, however grave it was. @param {Alert} alert */
function showerOf({ severity, context }) {
  if (context.kind === "resolved" || severity === "info") return "showInformationMessage";
  return severity === "warning" ? "showWarningMessage" : "showErrorMessage";
}

/** One line: a notification has no more. @param {Alert} alert */
function textOf({ severity, title, context }) {
  const urgent = severity === "critical" && context.kind !== "resolved" ? "CRITICAL: " : "";
  return `${urgent}${title}`.replace(/\s+/g, " ").trim().slice(0, 300);
}

module.exports = { Notifications, textOf, SEVERITIES, AT_ONCE, CALM_MS };
