/**
 * The floor under the pipeline: takes the same requests over HTTP, parses every line, and inserts the very bytes into
 * an engine of the same build, over HTTP, in blocks of 10,000 rows. No log, no scoring, no deriving, nothing durable
 * before the answer. A process of its own; bench/pipeline.ts alternates it with the service. Frozen: it is the measure.
 *
 *     node dist/bench/floor.js DATA-DIRECTORY
 */
import { createServer } from 'node:http';
import { openStore } from '../src/store/store.js';

const BLOCK_ROWS = 10_000;
/** A block that does not fill is sent after this, as the service does, ms. */
const LINGER_MS = 1_000;

const [, , dataDir = ''] = process.argv;
const store = await openStore({
  url: 'embedded',
  database: 'parallax',
  username: '',
  password: '',
  dataDir,
  observationDays: 90,
  payloadDays: 7,
});
await store.writer.command(`CREATE TABLE IF NOT EXISTS floor (
  id String, stream LowCardinality(String), kind LowCardinality(String), time DateTime64(3, 'UTC'), agentId String,
  parentAgentId String, sessionId String, traceId String, spanId String, callId String, seq Nullable(UInt64),
  text String, tokens Nullable(UInt64), model LowCardinality(String), declared Array(Tuple(callId String, tool String)),
  tool LowCardinality(String), operation LowCardinality(String), effect LowCardinality(String),
  tier LowCardinality(String), args String, targets String, decision LowCardinality(String),
  rawDecision LowCardinality(String), reason String, ruleId LowCardinality(String),
  policyVersion LowCardinality(String), approvalId String, error LowCardinality(String), resultClass Nullable(UInt8),
  tools Array(String), approverId LowCardinality(String), posture LowCardinality(String),
  expiresAt Nullable(DateTime64(3, 'UTC')), values String
) ENGINE = MergeTree ORDER BY (agentId, time)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_compressed_bytes_to_fsync_after_merge = 1`);

let waiting: Buffer[] = [];
let rows = 0;
let parsed = 0;
let stored = 0;
let linger: NodeJS.Timeout | undefined;
let sending = Promise.resolve();
let blocks = 0;

function flush(): void {
  clearTimeout(linger);
  linger = undefined;
  if (rows === 0) return;
  const [body, count] = [Buffer.concat(waiting), rows];
  waiting = [];
  rows = 0;
  const token = `floor:${process.pid}:${blocks++}`;
  sending = sending.then(async () => {
    await store.writer.insert({ table: 'floor', body, token });
    stored += count;
    return undefined;
  });
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method === 'GET') {
      response.end(JSON.stringify({ backlog: parsed - stored }));
      return;
    }
    const body = Buffer.concat(chunks);
    let accepted = 0;
    for (const line of body.toString('utf8').split('\n')) {
      JSON.parse(line);
      accepted++;
    }
    parsed += accepted;
    rows += accepted;
    waiting.push(body, NEWLINE);
    if (rows >= BLOCK_ROWS) flush();
    else linger ??= setTimeout(flush, LINGER_MS);
    response.end(JSON.stringify({ accepted }));
  });
});
const NEWLINE = Buffer.from('\n');
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  process.send?.({ url: `http://127.0.0.1:${address.port}` });
});
process.on('message', (question) => {
  if (question !== 'close') return;
  server.close();
  server.closeAllConnections();
  flush();
  void sending
    .then(() => store.close())
    .then(() => {
      process.disconnect();
      return undefined;
    });
});
