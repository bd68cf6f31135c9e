import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../recorded.js';

const POM = join(repositoryRoot, 'test', 'support', 'kafka', 'pom.xml');
const CACHE = join(repositoryRoot, 'node_modules', '.cache', 'parallax-kafka');
const OLDEST_JAVA = 17;

/** Why no broker can be started here, or undefined. */
export function whyNoBroker(): string | undefined {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  const version = Number(/version "(\d+)/.exec(java.stderr)?.[1] ?? 0);
  if (java.error !== undefined || version < OLDEST_JAVA) {
    return `a Kafka broker needs Java ${OLDEST_JAVA} or newer, ${version === 0 ? 'and there is none' : `this is ${version}`}; or set KAFKA_BROKERS`;
  }
  if (existsSync(jarsFolder())) return undefined;
  if (spawnSync('mvn', ['-version'], { stdio: 'ignore' }).error === undefined) return undefined;
  return 'Maven, which fetches the Kafka broker, is not installed; or set KAFKA_BROKERS';
}

/** Fetches the broker's jars, once for each version. @returns the class path */
export async function kafkaClassPath(): Promise<string> {
  const folder = jarsFolder();
  if (!existsSync(folder)) {
    mkdirSync(CACHE, { recursive: true });
    const fresh = mkdtempSync(join(CACHE, 'fetching-'));
    try {
      const to = `-DoutputDirectory=${fresh}`;
      await promisify(execFile)('mvn', ['-q', '-B', '-f', POM, 'dependency:copy-dependencies', to], {
        timeout: 300_000,
      });
      if (readdirSync(fresh).length === 0) throw new Error('Maven fetched nothing');
      // Another process may have been faster; its jars are the same.
      if (!existsSync(folder)) renameSync(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  return join(folder, '*');
}

function jarsFolder(): string {
  const version = /<artifactId>kafka_2\.13<\/artifactId>\s*<version>([\d.]+)</.exec(readFileSync(POM, 'utf8'))?.[1];
  if (version === undefined) throw new Error(`${POM} names no version of Kafka`);
  return join(CACHE, version);
}
