import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { eventually } from '../eventually.js';
import { freePort } from '../free-port.js';
import { repositoryRoot } from '../recorded.js';
import { goProgram } from './go-program.js';

const VERSION = 'v0.165.0';
const MODULE = 'go.opentelemetry.io/collector';

/** The real OpenTelemetry Collector with OTLP in and OTLP/HTTP out, or undefined where it cannot be built. */
export function buildCollector(): Promise<string | undefined> {
  const parts = ['otelcol', 'service', 'receiver/otlpreceiver', 'exporter/otlphttpexporter'];
  return goProgram({
    name: 'otelcol',
    version: VERSION,
    modules: [
      ...parts.map((part) => `${MODULE}/${part}@${VERSION}`),
      `${MODULE}/confmap/provider/fileprovider@v1.71.0`,
    ],
    main: join(repositoryRoot, 'test', 'support', 'emitters', 'collector', 'main.go'),
  });
}

/** Starts it between agents and an observer. */
export async function startCollector(
  program: string,
  options: { directory: string; observer: string; key: string; encoding: 'proto' | 'json' },
): Promise<{ url: string; said: () => string; stop: () => Promise<void> }> {
  const { directory, observer, key, encoding } = options;
  const port = await freePort();
  const exporter = {
    endpoint: observer,
    encoding,
    headers: { Authorization: `Bearer ${key}` },
  };
  const pipeline = { receivers: ['otlp'], exporters: ['otlp_http'] };
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { otlp_http: exporter },
    service: {
      telemetry: { metrics: { level: 'none' } },
      pipelines: { traces: pipeline, logs: pipeline, metrics: pipeline },
    },
  };
  const file = join(directory, 'collector.json');
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(program, ['--config', `file:${file}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-20_000);
  });
  await eventually('the collector listens', () => isListening(port));
  return {
    url: `http://127.0.0.1:${port}`,
    said: () => said,
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
