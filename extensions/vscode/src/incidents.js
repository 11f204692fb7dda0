/** The list of what is wrong: incidents, and below each whom it concerns and why. */
"use strict";

const vscode = require("vscode");

const ICONS = { info: "info", warning: "warning", error: "error", critical: "flame" };

/**
 * @typedef {{id: string, title: string, severity: keyof typeof ICONS, state: string, about: string, opened_at: string,
 *   datasets: string[], acknowledged_by: string | null, comment: string,
 *   causes: {rule: string, type: string, subject: string, count: number, over: string | null}[]}} Incident
 */

/** @implements {vscode.TreeDataProvider<any>} */
class IncidentList {
  constructor() {
    /** @type {Incident[]} */
    this.incidents = [];
    this.changed = new vscode.EventEmitter();
    this.onDidChangeTreeData = this.changed.event;
  }

  /** @param {Incident[]} incidents */
  show(incidents) {
    this.incidents = incidents;
    this.changed.fire(undefined);
  }

  /** @param {any} [item] */
  getChildren(item) {
    return item ? item.lines.map(leaf) : this.incidents.map(branch);
  }

  /** @param {any} item */
  getTreeItem(item) {
    return item;
  }
}

/** @param {Incident} incident */
function branch(incident) {
  const item = new vscode.TreeItem(incident.title, vscode.TreeItemCollapsibleState.Collapsed);
  const taken = incident.state === "acknowledged" ? `, ${incident.acknowledged_by} takes it` : "";
  return Object.assign(item, {
    id: incident.id,
    incident: incident.id,
    description: `since ${clock(incident.opened_at)}${taken}`,
    tooltip: `${incident.severity}: ${incident.title}\n${detailsOf(incident).join("\n")}`,
    iconPath: new vscode.ThemeIcon(incident.state === "open" ? ICONS[incident.severity] : "check"),
    contextValue: incident.state === "open" ? "open" : "taken",
    lines: detailsOf(incident),
  });
}

/** @param {string} line */
function leaf(line) {
  return Object.assign(new vscode.TreeItem(line, vscode.TreeItemCollapsibleState.None), { lines: [] });
}

/** What is known of an incident, a line each. @param {Incident} incident */
function detailsOf({ about, datasets, causes, comment }) {
  const why = causes.map(({ type, subject, count, over }) => {
    const often = count > 1 ? ` (${count} times)` : "";
    return `${type} ${subject}${often}${over ? ", over" : ""}`;
  });
  const whom = datasets.length ? [`concerns ${datasets.join(", ")}`] : [];
  return [`about ${about}`, ...whom, ...why, ...(comment ? [`comment: ${comment}`] : [])];
}

/** A moment as the wall clock here shows it; with the date when it is not today. @param {string} moment */
function clock(moment) {
  const time = new Date(moment);
  const today = time.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { hour: "2-digit", minute: "2-digit", ...(today ? {} : { day: "2-digit", month: "short" }) };
  return time.toLocaleString(undefined, options);
}

module.exports = { IncidentList, detailsOf };
