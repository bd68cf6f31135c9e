import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startService, type ChildService } from '../../src/sources/child-service.js';
import type { RecordedOutcome } from '../../src/gateway/reference/tools.js';
import { repositoryRoot } from './recorded.js';

export const CALLER_KEY = 'caller-key-of-the-test';
export const APPROVER_KEY = 'approver-key-of-the-test';

export interface GatewayProcessOptions {
  directory: string;
  observerUrl: string;
  /** The gateway's own key at the observer. */
  observerKey: string;
  outcomes: readonly RecordedOutcome[];
  /** Over the generated settings. */
  settings?: Record<string, unknown>;
}

/** What an agent gets back, as far as tests look at it. */
export interface Answered {
  executed: boolean;
  refusedBy?: string;
  reason: string;
}

/** The reference gateway as a process of its own. */
export class GatewayProcess {
  readonly #child: ChildService;

  private constructor(child: ChildService) {
    this.#child = child;
  }

  static async start(options: GatewayProcessOptions): Promise<GatewayProcess> {
    const { directory, observerUrl, observerKey, outcomes, settings } = options;
    const file = (name: string, text: string): string => {
      const path = join(directory, name);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    };
    const config = {
      observerUrl,
      observerKeyFile: file('observer.key', observerKey),
      callerKeyFile: file('caller.key', CALLER_KEY),
      approverKeyFile: file('approver.key', APPROVER_KEY),
      outcomesFile: file('outcomes.jsonl', outcomes.map((outcome) => `${JSON.stringify(outcome)}\n`).join('')),
      deadlineMs: 5_000,
      startWaitMs: 10_000,
      ...settings,
    };
    const main = join(repositoryRoot, 'dist', 'src', 'gateway', 'reference', 'main.js');
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('PARALLAX_'));
    const child = await startService({
      name: 'gateway',
      command: [process.execPath, main, '--config', file('gateway.json', JSON.stringify(config))],
      cwd: repositoryRoot,
      env: Object.fromEntries(own),
      logFile: join(directory, 'gateway.log'),
      startMs: 60_000,
      stopMs: 5_000,
    });
    return new GatewayProcess(child);
  }

  async call(body: Record<string, unknown>): Promise<Answered> {
    // The route answers with this and nothing else.
    return (await this.#ask('/call', CALLER_KEY, body)) as Answered;
  }

  /** Calls that wait for a person. */
  async holds(): Promise<{ id: string; reason: string }[]> {
    const { holds } = (await this.#ask('/holds', APPROVER_KEY)) as { holds: { id: string; reason: string }[] };
    return holds;
  }

  async decide(id: string, approve: boolean): Promise<void> {
    await this.#ask(`/holds/${id}`, APPROVER_KEY, { approve, by: 'ann' });
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    process.kill(this.#child.pid, 'SIGKILL');
    await this.#child.ended;
  }

  /** @returns whether it ended by itself when it was asked to */
  stop(): Promise<boolean> {
    return this.#child.stop();
  }

  async #ask(path: string, key: string, body?: Record<string, unknown>): Promise<unknown> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const init = body === undefined ? { headers } : { headers, method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(this.#child.url + path, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}
