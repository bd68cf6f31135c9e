import { createHash } from 'node:crypto';

const HASH_CHARS = 8;
const SEPARATOR = '__';

/**
 * The name under which clients see a server's tool or prompt: `server__name`. Clients hand names on to model APIs,
 * which take letters, digits, `_` and `-` and little more than 60 characters; a name that must be changed for that
 * ends in a hash of the original, so that two never become one and the result is the same at every start.
 *
 * @param server without `_`, so that the first `__` ends it
 * @param maxChars longest name
 */
export function exposedName(server: string, name: string, maxChars: number): string {
  const plain = `${server}${SEPARATOR}${name}`;
  if (plain.length <= maxChars && /^[A-Za-z0-9_-]+$/.test(name)) return plain;
  const hash = createHash('sha256')
    .update(JSON.stringify([server, name]))
    .digest('hex')
    .slice(0, HASH_CHARS);
  const cleaned = plain.slice(0, maxChars).replaceAll(/[^A-Za-z0-9_-]/g, '_');
  return `${cleaned.slice(0, maxChars - HASH_CHARS - 1)}_${hash}`;
}

/** What reading resources or getting prompts of a server is called in rules and records. No tool's name has a dot. */
export function accessName(server: string, what: 'resources.read' | 'prompts.get'): string {
  return `${server}${SEPARATOR}${what}`;
}
