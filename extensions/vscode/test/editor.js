/** A stand-in for `vscode`: what the extension uses of it, kept for tests to look at. */
"use strict";

const Module = require("node:module");

class EventEmitter {
  listeners = [];
  event = (act) => {
    this.listeners.push(act);
    return { dispose: () => {} };
  };
  fire(value) {
    for (const act of this.listeners) act(value);
  }
}

class Watched {
  /** Resolves with the first value, from now on or the present one, for which `holds`. */
  constructor(value) {
    this.value = value;
    this.waiting = [];
  }
  set(value) {
    this.value = value;
    this.waiting = this.waiting.filter(({ holds, resolve }) => !(holds(value) && (resolve(value), true)));
  }
  until(holds) {
    if (holds(this.value)) return Promise.resolve(this.value);
    return new Promise((resolve) => this.waiting.push({ holds, resolve }));
  }
}

/** A fresh editor. `chosen`: what the user clicks in notifications; `typed`: what they write. */
function editor(settings = {}) {
  const seen = {
    bar: new Watched({}),
    notifications: new Watched([]),
    list: undefined,
    commands: {},
    output: [],
    secrets: new Map(),
    opened: [],
    chosen: undefined,
    typed: undefined,
    asked: undefined,
    configured: new EventEmitter(),
    settings,
  };
  const notify = (as) => async (text, ...actions) => {
    seen.notifications.set([...seen.notifications.value, { as, text, actions }]);
    return actions.includes(seen.chosen) ? seen.chosen : undefined;
  };
  const vscode = {
    EventEmitter,
    StatusBarAlignment: { Left: 1 },
    TreeItemCollapsibleState: { None: 0, Collapsed: 1 },
    TreeItem: class {
      constructor(label, collapsibleState) {
        Object.assign(this, { label, collapsibleState });
      }
    },
    ThemeIcon: class {
      constructor(id) {
        this.id = id;
      }
    },
    ThemeColor: class {
      constructor(id) {
        this.id = id;
      }
    },
    Uri: { parse: (text) => text },
    env: { openExternal: async (uri) => seen.opened.push(uri) },
    window: {
      showInformationMessage: notify("information"),
      showWarningMessage: notify("warning"),
      showErrorMessage: notify("error"),
      showInputBox: async (options) => {
        seen.asked = options;
        return seen.typed;
      },
      createOutputChannel: () => ({ appendLine: (line) => seen.output.push(line), show() {}, dispose() {} }),
      createStatusBarItem: () => ({
        show() {
          seen.bar.set({ ...this });
        },
        dispose() {},
      }),
      registerTreeDataProvider: (_, provider) => {
        seen.list = provider;
        return { dispose() {} };
      },
    },
    workspace: {
      getConfiguration: (section) => ({ get: (name, fallback) => seen.settings[`${section}.${name}`] ?? fallback }),
      onDidChangeConfiguration: seen.configured.event,
    },
    commands: {
      registerCommand: (name, act) => {
        seen.commands[name] = act;
        return { dispose() {} };
      },
      executeCommand: async (name) => seen.opened.push(name),
    },
  };
  const context = {
    subscriptions: [],
    secrets: {
      get: async (name) => seen.secrets.get(name),
      store: async (name, value) => void seen.secrets.set(name, value),
      delete: async (name) => void seen.secrets.delete(name),
    },
  };
  for (const file of Object.keys(require.cache)) {
    if (file.includes("/src/")) delete require.cache[file]; // each editor loads the extension anew
  }
  const load = Module._load;
  Module._load = function (request, ...rest) {
    return request === "vscode" ? vscode : load.call(this, request, ...rest);
  };
  const end = () => {
    for (const one of context.subscriptions) one.dispose();
    Module._load = load;
  };
  return { seen, vscode, context, end };
}

/** Timers that fire when the test says so. */
function timers() {
  const due = new Map();
  let count = 0;
  return {
    setTimeout: (act, wait) => (due.set(++count, { act, wait }), count),
    clearTimeout: (id) => due.delete(id),
    waits: () => [...due.values()].map(({ wait }) => wait),
    fire() {
      const [[id, { act }]] = due;
      due.delete(id);
      return act();
    },
  };
}

module.exports = { editor, timers };
