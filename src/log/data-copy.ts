import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const MANIFEST = 'manifest.json';
const FORMAT = 1;
const CHUNK_BYTES = 1024 * 1024;
/** Made anew by whoever opens the directory. */
const LOCKS = /^(owner-.*\.lock|lock\.mdb)$/;

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  /** Version of the program that made it. */
  program: z.string(),
  madeAt: z.iso.datetime(),
  database: z.string(),
  /** Whether ClickHouse is part of it: only the embedded one is. */
  hasClickHouse: z.boolean(),
  files: z.array(z.object({ path: z.string(), bytes: z.number(), sha256: z.string() })),
});

/** What a backup holds. */
export type BackupManifest = z.infer<typeof manifestSchema>;

/** A backup that cannot be made, or is not whole; the message says why. */
export class BackupError extends Error {
  override name = 'BackupError';
}

/** Copies all files but locks, each on disk when this returns. @param skip names directly under `from` that stay behind */
export function copyTree(from: string, to: string, skip: readonly string[] = []): void {
  for (const path of filesUnder(from)) {
    if (skip.includes(path.split('/')[0] ?? '') || LOCKS.test(path.split('/').at(-1) ?? '')) continue;
    const target = join(to, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
    copyFileSync(join(from, path), target);
    flush(target);
  }
}

/** Ends a backup: it counts once this is there. */
export function writeManifest(directory: string, about: Omit<BackupManifest, 'format' | 'files'>): BackupManifest {
  const files = filesUnder(directory).map((path) => ({
    path,
    bytes: statSync(join(directory, path)).size,
    sha256: hashOf(join(directory, path)),
  }));
  const manifest: BackupManifest = { format: FORMAT, ...about, files };
  const file = join(directory, MANIFEST);
  writeFileSync(`${file}.new`, `${JSON.stringify(manifest, undefined, 2)}\n`, { mode: 0o600, flush: true });
  renameSync(`${file}.new`, file);
  return manifest;
}

/** The manifest of a backup whose files are all there and unchanged. @throws BackupError naming the first that is not */
export function checkedManifest(directory: string): BackupManifest {
  const file = join(directory, MANIFEST);
  if (!existsSync(file)) throw new BackupError(`${directory} holds no whole backup: ${MANIFEST} is missing`);
  const parsed = manifestSchema.safeParse(parseJson(readFileSync(file, 'utf8')));
  if (!parsed.success) throw new BackupError(`${file} is damaged, or of another version of this program`);
  for (const { path, sha256 } of parsed.data.files) {
    const copy = join(directory, path);
    if (!existsSync(copy)) throw new BackupError(`${copy} is missing`);
    if (hashOf(copy) !== sha256) throw new BackupError(`${copy} is not what was backed up`);
  }
  return parsed.data;
}

/** Relative paths, with `/`. */
function filesUnder(directory: string, under = ''): string[] {
  return readdirSync(join(directory, under), { withFileTypes: true }).flatMap((entry) => {
    const path = under === '' ? entry.name : `${under}/${entry.name}`;
    if (entry.isDirectory()) return filesUnder(directory, path);
    return entry.isFile() ? [path] : [];
  });
}

function hashOf(file: string): string {
  const hash = createHash('sha256');
  const descriptor = openSync(file, 'r');
  try {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let read = readSync(descriptor, chunk); read > 0; read = readSync(descriptor, chunk)) {
      hash.update(chunk.subarray(0, read));
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}

function flush(file: string): void {
  const descriptor = openSync(file, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
