/** Asks the API of an installation: docs/api.md. */
"use strict";

const PATIENCE_MS = 10_000;

/** The API refused, or did not answer. `status` 0: no answer; `hint` says what to do. */
class ApiError extends Error {
  /** @param {number} status @param {string} message @param {string} [hint] */
  constructor(status, message, hint = "") {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.hint = hint;
  }

  /** Whether a token is needed, or another one. */
  get denied() {
    return this.status === 401 || this.status === 403;
  }
}

class Api {
  /**
   * @param {string} url Of the installation, without a path.
   * @param {string | undefined} token
   * @param {typeof fetch} fetcher
   */
  constructor(url, token, fetcher = fetch) {
    this.url = url.replace(/\/+$/, "");
    this.token = token;
    this.fetcher = fetcher;
  }

  /** Everything at a glance: `sentence`, `incidents` by severity, `host.latest.cpu_percent`. */
  overview() {
    return this.ask("/api/monitoring/status");
  }

  /** What is wrong, the most urgent first. */
  async incidents() {
    return (await this.ask("/api/v1/incidents")).incidents;
  }

  /** Say that somebody takes an incident. @param {string} id */
  acknowledge(id) {
    return this.ask(`/api/v1/incidents/${encodeURIComponent(id)}/acknowledge`, {});
  }

  /**
   * The address of the stream of alerts. The token stands in it, where the server takes it out before anything is logged:
   * a WebSocket of the platform sends no header of ours.
   * @param {number | undefined} since The position after which nothing was heard yet.
   */
  streamUrl(since) {
    const url = new URL(`${this.url}/ws`);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    if (since !== undefined) url.searchParams.set("since", String(since));
    if (this.token) url.searchParams.set("auth_token", this.token);
    return url.href;
  }

  /** @param {string} path @param {object} [body] With one it is a POST. @returns {Promise<any>} */
  async ask(path, body) {
    /** @type {Record<string, string>} */
    const headers = { Accept: "application/json" };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    if (body) headers["Content-Type"] = "application/json";
    let answer, told;
    try {
      answer = await this.fetcher(this.url + path, {
        method: body ? "POST" : "GET",
        headers,
        body: body && JSON.stringify(body),
        redirect: "error", // a token goes to this address only
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      told = await answer.json();
    } catch (error) {
      if (answer) throw new ApiError(answer.status, `${this.url} answered ${answer.status}, and not as the API does`);
      throw new ApiError(0, `${this.url} does not answer`, "start `serve` or `api` there, or change `orchestrator.url`");
    }
    if (!answer.ok) throw new ApiError(answer.status, told.detail || `${path}: ${answer.status}`, told.hint);
    return told;
  }
}

module.exports = { Api, ApiError };
