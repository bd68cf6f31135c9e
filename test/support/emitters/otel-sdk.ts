import { createServer, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { SpanKind, SpanStatusCode, trace, context as otelContext } from '@opentelemetry/api';
import { OTLPLogExporter as LogsJson } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as LogsProto } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as MetricsJson } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as MetricsProto } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as TracesJson } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as TracesProto } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';

export type Encoding = 'protobuf' | 'json';

/** One request that a real exporter sent. */
export interface Sent {
  path: string;
  headers: IncomingHttpHeaders;
  /** As sent, compressed or not. */
  raw: Buffer;
  /** After decompression. */
  body: Buffer;
}

/** Where real exporters send to in tests that look at their bytes. */
export async function collectExports(): Promise<{ url: string; sent: Sent[]; close: () => Promise<void> }> {
  const sent: Sent[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw;
      sent.push({ path: request.url ?? '', headers: request.headers, raw, body });
      response.writeHead(200, { 'Content-Type': request.headers['content-type'] ?? '' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    sent,
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

/** A real SDK with exporters of one encoding. @param about attributes of its resource @param isDelta sums are of the time since the last report */
export function realSdk(
  url: string,
  encoding: Encoding,
  headers: Record<string, string> = {},
  about: Record<string, string> = { 'service.name': 'travel-agent', 'service.version': '1.4.0' },
  isDelta = false,
) {
  const isProto = encoding === 'protobuf';
  const to = (signal: string) => ({ url: `${url}/v1/${signal}`, headers });
  const temporalityPreference = isDelta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE;
  const toMetrics = { ...to('metrics'), temporalityPreference };
  const resource = resourceFromAttributes(about);
  const traces = new BasicTracerProvider({
    resource,
    spanProcessors: [new SimpleSpanProcessor(isProto ? new TracesProto(to('traces')) : new TracesJson(to('traces')))],
  });
  const logs = new LoggerProvider({
    resource,
    processors: [
      new BatchLogRecordProcessor({ exporter: isProto ? new LogsProto(to('logs')) : new LogsJson(to('logs')) }),
    ],
  });
  const metrics = new MeterProvider({
    resource,
    readers: [
      new PeriodicExportingMetricReader({
        exporter: isProto ? new MetricsProto(toMetrics) : new MetricsJson(toMetrics),
        exportIntervalMillis: 3_600_000,
      }),
    ],
  });
  return {
    provider: traces,
    tracer: traces.getTracer('travel-agent', '1.0.0'),
    logger: logs.getLogger(about['service.name'] ?? ''),
    meter: metrics.getMeter('travel-agent'),
    close: async () => {
      await Promise.all([traces.shutdown(), logs.shutdown(), metrics.shutdown()]);
    },
  };
}

export { otelContext, SpanKind, SpanStatusCode, trace };
