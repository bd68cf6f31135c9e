// Makes the passwords and keys of `docker compose up` at its first start, so that none is shipped and none need be
// thought of. What is there already stays. Plain JavaScript: it runs in the image as it is.
//
// Usage: node make-secrets.js FOLDER
//
// Every service is given its own folder and sees no other one's; within it the files may be read by whichever user the
// service runs as.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const KEYS = ['admin', 'gateway', 'agent-runtime', 'governance', 'platform'];
const [root] = process.argv.slice(2);
if (root === undefined) {
  console.error('usage: node make-secrets.js FOLDER');
  process.exit(2);
}

const writer = secret('parallax', 'clickhouse-writer');
const reader = secret('grafana', 'clickhouse-reader');
secret('grafana', 'admin');
for (const key of KEYS) secret('parallax', 'keys', `${key}.key`);

const template = readFileSync(join(dirname(fileURLToPath(import.meta.url)), 'clickhouse', 'users.xml'), 'utf8');
const passwords = new Map([
  ['clickhouse-writer', writer],
  ['clickhouse-reader', reader],
]);
const users = template.replace(/\{\{sha256:([\w-]+)\}\}/g, (_, name) => {
  const password = passwords.get(name);
  if (password === undefined) throw new Error(`clickhouse/users.xml: there is no secret ${name}`);
  return createHash('sha256').update(password).digest('hex');
});
write(join(root, 'clickhouse', 'users.xml'), users);
console.log('Secrets are in place. To sign in:');
console.log('  Parallax  http://localhost:7700  docker compose exec api cat /run/parallax-secrets/keys/admin.key');
console.log('  Grafana   http://localhost:3000  admin, docker compose exec grafana cat /run/parallax-secrets/admin');

/** The secret in a file, made where there is none. 256 bits; no line end, for not every reader takes one off. */
function secret(...path) {
  const file = join(root, ...path);
  if (!existsSync(file)) write(file, randomBytes(32).toString('base64url'));
  return readFileSync(file, 'utf8');
}

/** Wholly or not at all. */
function write(file, text) {
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(`${file}.new`, text, { mode: 0o444, flush: true });
  renameSync(`${file}.new`, file);
}
