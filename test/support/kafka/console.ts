import { spawn } from 'node:child_process';
import { kafkaClassPath } from './jars.js';

/** Runs one of Kafka's own command-line tools. @returns what it printed */
async function runTool(tool: string, args: readonly string[], input = ''): Promise<string> {
  const flags = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', await kafkaClassPath()];
  const child = spawn('java', [...flags, `org.apache.kafka.tools.${tool}`, ...args]);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (data: Buffer) => out.push(data));
  child.stderr.on('data', (data: Buffer) => err.push(data));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) throw new Error(`${tool} ended with ${code}:\n${Buffer.concat(err).toString()}`);
  return Buffer.concat(out).toString();
}

/** Writes records with Java's producer and its default partitioner. */
export async function javaProduce(
  broker: string,
  topic: string,
  compression: string,
  records: readonly { key: string; value: string }[],
): Promise<void> {
  const lines = records.map(({ key, value }) => `${key}\t${value}\n`).join('');
  const properties = ['--property', 'parse.key=true', '--property', 'key.separator=\t', '--batch-size', '65536'];
  await runTool(
    'ConsoleProducer',
    ['--bootstrap-server', broker, '--topic', topic, '--compression-codec', compression, ...properties],
    lines,
  );
}

/** Reads `count` records of the topics that a pattern names, with Java's consumer. @returns `key\tvalue` of each */
export async function javaConsume(broker: string, topics: string, count: number): Promise<string[]> {
  const properties = ['--property', 'print.key=true', '--property', 'key.separator=\t'];
  const text = await runTool('consumer.ConsoleConsumer', [
    ...`--bootstrap-server ${broker} --from-beginning --timeout-ms 30000 --max-messages ${count}`.split(' '),
    '--include',
    topics,
    ...properties,
  ]);
  return text.split('\n').filter((line) => line !== '');
}
