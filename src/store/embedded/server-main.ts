import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../lib/clock.js';
import { createEmbeddedServer } from './http-server.js';
import { Lane } from './lane.js';
import { readerArguments, writerArguments } from './limits.js';
import { guardRules } from './reader-guard.js';
import type { ChildOrder, ChildReport } from './child-protocol.js';

/**
 * The embedded ClickHouse: a process of its own, because the engine may crash and blocks the thread pool. It takes one
 * line of JSON on standard input (with the secrets, which therefore never show in the process list), reports its port
 * in one line on standard output, and lives as long as standard input stays open.
 */
async function serve(order: ChildOrder): Promise<() => Promise<void>> {
  // Relative file names in a statement must find nothing.
  const emptyDir = join(order.dataDir, 'empty');
  const engineDir = join(order.dataDir, 'engine');
  mkdirSync(emptyDir, { recursive: true, mode: 0o700 });
  mkdirSync(engineDir, { recursive: true, mode: 0o700 });
  process.chdir(emptyDir);

  const { limits } = order;
  const common = { dataDir: engineDir, maxQueued: limits.maxQueued, clock: systemClock };
  const writerLane = new Lane({ ...common, engineArguments: [...order.engineArguments, ...writerArguments(limits)] });
  const run = (sql: string): Promise<string> =>
    writerLane
      .submit({ database: '', sql, params: new Map(), settings: new Map(), format: 'TSVRaw', abandoned: () => false })
      .then((result) => Buffer.from(result.bytes).toString('utf8'));
  await run(`CREATE DATABASE IF NOT EXISTS \`${order.database}\` ENGINE = Atomic`);
  const version = (await run('SELECT version()')).trim();
  const tableFunctions = (await run('SELECT name FROM system.table_functions'))
    .split('\n')
    .filter((name) => name !== '');
  const readerLanes = Array.from(
    { length: limits.readerLanes },
    () => new Lane({ ...common, engineArguments: readerArguments(limits) }),
  );

  const server = createEmbeddedServer({
    writer: order.writer,
    reader: order.reader,
    writerLane,
    readerLanes,
    database: order.database,
    limits,
    rules: guardRules(tableFunctions),
    clock: systemClock,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: order.port }, resolve);
  });
  const address = server.address();
  report({ type: 'ready', port: isPort(address) ? address.port : 0, version });
  return async () => {
    server.close();
    server.closeIdleConnections();
    await Promise.all([writerLane, ...readerLanes].map((lane) => lane.close()));
  };
}

const isPort = (address: AddressInfo | string | null): address is AddressInfo =>
  typeof address === 'object' && address !== null;

function report(message: ChildReport): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** `process.exit` waits for a running statement; the data directory survives a kill, so that is how this ends. */
function leave(): void {
  process.kill(process.pid, 'SIGKILL');
}

let stop: (() => Promise<void>) | undefined;
let stopping = false;
function shutDown(): void {
  if (stopping) return;
  stopping = true;
  setTimeout(leave, 5_000);
  void (stop?.() ?? Promise.resolve()).then(
    () => process.exit(0),
    () => leave(),
  );
}

async function begin(order: ChildOrder): Promise<void> {
  try {
    stop = await serve(order);
  } catch (error) {
    report({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    setTimeout(leave, 100);
  }
}

let input = '';
let started = false;
process.stdin.setEncoding('utf8');
process.stdin.on('data', (chunk: string) => {
  if (started) return;
  input += chunk;
  const newline = input.indexOf('\n');
  if (newline === -1) return;
  started = true;
  const order: ChildOrder = JSON.parse(input.slice(0, newline));
  input = '';
  void begin(order);
});
// The parent is gone: nobody waits for an answer, and the next one needs the data directory.
process.stdin.on('end', leave);
process.stdin.on('error', leave);
process.on('SIGTERM', shutDown);
// Ctrl-C reaches the whole group; the parent decides when the engine goes.
process.on('SIGINT', () => {});
