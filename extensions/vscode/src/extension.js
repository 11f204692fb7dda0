/** What the editor starts: a session with the installation, and the places where it shows. */
"use strict";

const vscode = require("vscode");
const { Api } = require("./api");
const { IncidentList } = require("./incidents");
const { Notifications } = require("./notifications");
const { Session } = require("./session");
const { statusOf } = require("./status_bar");

const TOKEN = /^cdo_[\w-]{43}$/;

/** @param {vscode.ExtensionContext} context */
async function activate(context) {
  const list = new IncidentList();
  const output = vscode.window.createOutputChannel("Orchestrator");
  const bar = vscode.window.createStatusBarItem("orchestrator.status", vscode.StatusBarAlignment.Left, 0);
  bar.name = "Cloud Data Orchestrator";
  /** @type {InstanceType<typeof Session> | undefined} */
  let session;
  let starting = Promise.resolve();

  const settings = () => vscode.workspace.getConfiguration("orchestrator");
  const url = () => String(settings().get("url", "http://127.0.0.1:8000"));
  // A token belongs to an address: whatever another one is set to, it does not get it.
  const secretName = () => `token ${new URL(url()).origin}`;

  const notifications = new Notifications(vscode.window, {
    from: () => String(settings().get("notifyFrom", "warning")),
    details,
    acknowledge,
    list: () => vscode.commands.executeCommand("orchestrator.incidents.focus"),
  });

  /** @param {import("./stream").Alert} alert */
  function details({ severity, title, message, context: { time, incident } }) {
    output.appendLine(`${time} ${severity}: ${title}${incident ? ` (incident ${incident})` : ""}\n${message}\n`);
    output.show(true);
  }

  /** @param {string} incident */
  async function acknowledge(incident) {
    try {
      await session?.api.acknowledge(incident);
      await session?.look();
    } catch (/** @type {any} */ error) {
      vscode.window.showErrorMessage([error.message, error.hint].filter(Boolean).join(". "));
    }
  }

  /** @param {string} state @param {any} overview @param {any[]} incidents @param {string} reason */
  function showStatus(state, overview, incidents, reason) {
    const { text, tooltip, background, command } = statusOf(/** @type {any} */ (state), overview, incidents, reason);
    Object.assign(bar, { text, tooltip, command });
    bar.backgroundColor = background ? new vscode.ThemeColor(`statusBarItem.${background}`) : undefined;
    bar.show();
  }

  function restart() {
    starting = starting.then(begin);
    return starting;
  }

  async function begin() {
    session?.stop();
    session = undefined;
    list.show([]);
    let token;
    try {
      token = await context.secrets.get(secretName());
    } catch {
      showStatus("away", undefined, [], `orchestrator.url: ${url()} is no address`);
      return;
    }
    const api = new Api(url(), token);
    const show = {
      alert: (/** @type {any} */ alert) => void notifications.tell(alert),
      incidents: (/** @type {any[]} */ incidents) => list.show(incidents),
      status: showStatus,
    };
    session = new Session(api, show, { everyMs: 1000 * Number(settings().get("statusEvery", 15)) });
    await session.start();
  }

  function openDashboard() {
    const page = String(settings().get("dashboardUrl", "http://127.0.0.1:8501"));
    return vscode.env.openExternal(vscode.Uri.parse(page));
  }

  async function setToken() {
    const token = await vscode.window.showInputBox({
      title: `Token for ${url()}`,
      prompt: "`python integrated_system.py tokens create --role operator` on its machine makes one.",
      password: true,
      ignoreFocusOut: true,
      validateInput: (text) => (TOKEN.test(text.trim()) ? undefined : "A token is `cdo_` and 43 letters, digits, - or _."),
    });
    if (token === undefined) return;
    await context.secrets.store(secretName(), token.trim());
    await restart();
  }

  async function forgetToken() {
    await context.secrets.delete(secretName());
    await restart();
  }

  /** @type {Record<string, (...args: any[]) => any>} */
  const commands = {
    "orchestrator.setToken": setToken,
    "orchestrator.forgetToken": forgetToken,
    "orchestrator.reconnect": restart,
    "orchestrator.openDashboard": openDashboard,
    "orchestrator.acknowledge": (item) => acknowledge(item.incident),
    "orchestrator.details": details,
  };
  context.subscriptions.push(
    bar,
    output,
    notifications,
    vscode.window.registerTreeDataProvider("orchestrator.incidents", list),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("orchestrator.url") || event.affectsConfiguration("orchestrator.statusEvery")) restart();
    }),
    { dispose: () => session?.stop() },
    ...Object.entries(commands).map(([name, act]) => vscode.commands.registerCommand(name, act)),
  );
  await restart();
}

module.exports = { activate };
