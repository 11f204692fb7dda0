/** What the status bar says: CPU and open incidents, or why it is not known. */
"use strict";

/**
 * @typedef {{sentence: string, app: string,
 *   host: {latest: {cpu_percent?: number | null, memory_percent?: number | null} | null}}} Overview
 */

/**
 * @param {import("./stream").State["state"] | "denied" | "away"} state
 * @param {Overview | undefined} overview
 * @param {{severity: string}[]} incidents What is not over.
 * @param {string} reason Why nothing is known.
 * @returns {{text: string, tooltip: string, background: "" | "warningBackground" | "errorBackground", command: string}}
 */
function statusOf(state, overview, incidents, reason) {
  if (state === "denied" || state === "refused") {
    const tooltip = `${reason}\nClick to set a token.`;
    return { text: "$(key) Orchestrator", tooltip, background: "warningBackground", command: "orchestrator.setToken" };
  }
  if (!overview || state === "away") {
    const tooltip = reason || "Connecting…";
    return { text: "$(debug-disconnect) Orchestrator", tooltip, background: "", command: "orchestrator.reconnect" };
  }
  const cpu = overview.host.latest?.cpu_percent;
  const bell = incidents.length ? `$(bell-dot) ${incidents.length}` : "$(bell) 0";
  const text = `$(pulse) ${typeof cpu === "number" ? `${Math.round(cpu)} %` : "–"}  ${bell}`;
  const there = new Set(incidents.map((one) => one.severity));
  const background = there.has("critical") ? "errorBackground" : there.has("error") ? "warningBackground" : "";
  const live = state === "connected" ? "" : "\nAlerts are not heard at the moment; a new try is under way.";
  const memory = overview.host.latest?.memory_percent;
  const machine = typeof memory === "number" ? `\nCPU ${Math.round(cpu ?? 0)} %, memory ${Math.round(memory)} %` : "";
  const tooltip = `${overview.app}: ${overview.sentence}${machine}${live}`;
  return { text, tooltip, background, command: "orchestrator.incidents.focus" };
}

module.exports = { statusOf };
