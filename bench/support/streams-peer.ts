import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { z } from 'zod';
import type { KafkaClient } from '../../src/kafka/port.js';
import { repositoryRoot } from '../../test/support/recorded.js';
import type { Side } from './cluster-side.js';
import type { PeerAnswer } from './peer-answer.js';

const SOURCE = join(repositoryRoot, 'bench', 'peers', 'kafka-streams');
const CACHE = join(repositoryRoot, 'node_modules', '.cache', 'parallax-peers');
const MAIN = 'parallax.peer.Main';
/** Of the JVM: enough that collecting is not what is measured. */
const HEAP = '-Xmx1g';
const START_MS = 120_000;
/** How often it makes what it did durable, ms; by default it is 30,000. */
const COMMIT_MS = 1_000;

const lineSchema = z.object({
  event: z.enum(['running', 'progress', 'end']),
  records: z.number(),
  observations: z.number(),
  calls: z.number(),
  newTools: z.number(),
  reasoning: z.number(),
  windows: z.number(),
  flagged: z.number(),
  cpuMs: z.number(),
});

export interface PeerOptions {
  client: KafkaClient;
  brokers: readonly string[];
  input: string;
  output: string;
  application: string;
  threads: number;
  /** See AgentRates.java. */
  shape: 'join' | 'one';
}

/** Why the peer cannot be built here, or undefined. */
export function whyNoPeer(): string | undefined {
  if (spawnSync('java', ['-version'], { stdio: 'ignore' }).error !== undefined) return 'Java is not installed';
  if (existsSync(builtFolder())) return undefined;
  return spawnSync('mvn', ['-version'], { stdio: 'ignore' }).error === undefined
    ? undefined
    : 'Maven, which builds the Kafka Streams job, is not installed';
}

/** Compiles the job and fetches its jars, once for each version of its sources. @returns the class path */
export async function buildPeer(): Promise<string> {
  const folder = builtFolder();
  if (!existsSync(folder)) {
    mkdirSync(CACHE, { recursive: true });
    const fresh = mkdtempSync(join(CACHE, 'building-'));
    try {
      const args = ['-q', '-B', '-f', join(SOURCE, 'pom.xml'), `-Dout=${fresh}`, 'compile'];
      await promisify(execFile)('mvn', [...args, 'dependency:copy-dependencies'], { timeout: 300_000 });
      renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  return `${join(folder, 'classes')}:${join(folder, 'dependency', '*')}`;
}

function builtFolder(): string {
  const hash = createHash('sha256');
  for (const file of readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).sort()) {
    if (/\.(java|xml)$/.test(file)) hash.update(`${file}\0`).update(readFileSync(join(SOURCE, file)));
  }
  return join(CACHE, `kafka-streams-${hash.digest('hex').slice(0, 16)}`);
}

/** The Kafka Streams job, running. */
export class StreamsPeer implements Side {
  readonly pids: number[];
  readonly #options: PeerOptions;
  readonly #child: ChildProcess;
  readonly #stateDir: string;
  #last: z.infer<typeof lineSchema> | undefined;

  private constructor(options: PeerOptions, child: ChildProcess, stateDir: string) {
    this.#options = options;
    this.#child = child;
    this.#stateDir = stateDir;
    this.pids = [child.pid ?? 0];
  }

  /** Resolves when all partitions are assigned and read. */
  static async start(options: PeerOptions): Promise<StreamsPeer> {
    const stateDir = mkdtempSync(join(tmpdir(), 'parallax-peer-'));
    const args = {
      brokers: options.brokers.join(','),
      input: options.input,
      output: options.output,
      application: options.application,
      'state-dir': stateDir,
      threads: options.threads,
      'commit-ms': COMMIT_MS,
      // Counts may be wrong after a crash. What counts each event once costs more: the peer gets the cheaper one.
      guarantee: 'at_least_once',
      shape: options.shape,
    };
    const child = spawn(
      'java',
      [
        HEAP,
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
        '-cp',
        await buildPeer(),
        MAIN,
        ...Object.entries(args).flatMap(([name, value]) => [`--${name}`, String(value)]),
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const peer = new StreamsPeer(options, child, stateDir);
    // Ends with this process, however this ends in good order.
    process.once('exit', () => child.kill('SIGKILL'));
    await peer.#running();
    return peer;
  }

  async done(): Promise<number> {
    if (this.#child.exitCode !== null) throw new Error('the Kafka Streams job ended');
    return this.#last?.observations ?? 0;
  }

  /** It commits only what is flushed: stores, changelogs and the flags. */
  async isThrough(): Promise<boolean> {
    const { client, application, input } = this.#options;
    const committed = new Map(
      (await client.admin.committed(application, [input])).map(({ partition, offset }) => [partition, offset]),
    );
    const offsets = await client.topicOffsets(input);
    return offsets.every(({ partition, low, high }) => high === low || (committed.get(partition) ?? 0) >= high);
  }

  /** What it counted so far. */
  answer(): PeerAnswer {
    if (this.#last === undefined) throw new Error('the Kafka Streams job has not said anything');
    const { observations, calls, newTools, reasoning, windows, flagged } = this.#last;
    return { observations, calls, newTools, reasoning, windows, flagged };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null) {
      const exit = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await exit;
    }
    rmSync(this.#stateDir, { recursive: true, force: true });
  }

  async #running(): Promise<void> {
    if (this.#child.stdout === null) throw new Error('no output');
    const lines = createInterface({ input: this.#child.stdout });
    const running = new Promise<string>((resolve) => {
      lines.on('line', (text) => {
        const line = lineSchema.parse(JSON.parse(text));
        this.#last = line;
        if (line.event === 'running') resolve('running');
      });
    });
    const ended = once(this.#child, 'exit').then(() => 'ended');
    const late = new Promise<string>((resolve) => {
      setTimeout(() => resolve('late'), START_MS).unref();
    });
    const outcome = await Promise.race([running, ended, late]);
    if (outcome === 'running') return;
    this.#child.kill('SIGKILL');
    throw new Error(`the Kafka Streams job did not start: ${outcome}`);
  }
}
