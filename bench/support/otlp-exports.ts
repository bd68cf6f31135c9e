import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { OTLPLogExporter as LogsJson } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as LogsProto } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPTraceExporter as TracesJson } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as TracesProto } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { collectExports, type Encoding } from '../../test/support/emitters/otel-sdk.js';

const ROOM = { maxExportBatchSize: 1_000, maxQueueSize: 2_000 };
const MESSAGES = JSON.stringify([
  { role: 'user', parts: [{ type: 'text', content: 'Please book a room in Oslo for two nights' }] },
]);

/** One export of `count` tool spans, as the OpenTelemetry SDK's batch processor sends it. */
export async function spanExport(encoding: Encoding, count: number): Promise<Buffer> {
  const collector = await collectExports();
  const to = { url: `${collector.url}/v1/traces` };
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'travel-agent' }),
    spanProcessors: [new BatchSpanProcessor(encoding === 'protobuf' ? new TracesProto(to) : new TracesJson(to), ROOM)],
  });
  const tracer = provider.getTracer('travel-agent', '1.0.0');
  for (let i = 0; i < count; i++) {
    const attributes = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.agent.id': 'travel-agent',
      'gen_ai.conversation.id': `conversation-${i % 20}`,
      'gen_ai.tool.name': 'send_mail',
      'gen_ai.tool.call.id': `call-${i}`,
      'gen_ai.tool.call.arguments': '{"to":"ann@example.org"}',
    };
    tracer.startSpan('execute_tool send_mail', { attributes }).end();
  }
  await provider.shutdown();
  await collector.close();
  return onlyBody(collector.sent);
}

/** One export of `count` log events of prompts. */
export async function logExport(encoding: Encoding, count: number): Promise<Buffer> {
  const collector = await collectExports();
  const to = { url: `${collector.url}/v1/logs` };
  const provider = new LoggerProvider({
    resource: resourceFromAttributes({ 'service.name': 'travel-agent' }),
    processors: [
      new BatchLogRecordProcessor({
        exporter: encoding === 'protobuf' ? new LogsProto(to) : new LogsJson(to),
        ...ROOM,
      }),
    ],
  });
  const logger = provider.getLogger('travel-agent');
  for (let i = 0; i < count; i++) {
    logger.emit({
      eventName: 'gen_ai.client.inference.operation.details',
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.agent.id': 'travel-agent',
        'gen_ai.conversation.id': `conversation-${i % 20}`,
        'gen_ai.response.id': `response-${i}`,
        'gen_ai.input.messages': MESSAGES,
      },
    });
  }
  await provider.shutdown();
  await collector.close();
  return onlyBody(collector.sent);
}

function onlyBody(sent: readonly { body: Buffer }[]): Buffer {
  const [first] = sent;
  if (first === undefined || sent.length !== 1) throw new Error(`${sent.length} exports instead of one`);
  return first.body;
}
