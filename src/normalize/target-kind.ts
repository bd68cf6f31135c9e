import { nameWords } from './tool-effect.js';
import { isSecretField } from './secret-field.js';
import { valueKind, type ValueKind } from './value-kind.js';

/** Kinds told by the shape of the value, whatever the field is called. */
const BY_SHAPE: Partial<Record<ValueKind, string>> = { email: 'email', url: 'url', iban: 'iban' };

/** Kinds told by a word of the field's name; the first match counts. */
const BY_NAME: readonly (readonly [kind: string, words: readonly string[]])[] = [
  ['amount', ['amount', 'price', 'total', 'sum', 'cost', 'fee', 'budget', 'payment', 'balance']],
  ['date', ['date', 'day', 'time', 'start', 'end', 'deadline', 'when', 'due', 'until', 'since']],
  ['query', ['query', 'search', 'keyword', 'keywords', 'filter', 'question', 'q']],
  ['channel', ['channel', 'channels', 'room', 'thread', 'topic']],
  ['file', ['file', 'files', 'path', 'paths', 'filename', 'dir', 'directory', 'folder', 'attachment', 'attachments']],
  ['repo', ['repo', 'repository', 'branch']],
  ['package', ['package', 'packages', 'dependency', 'dependencies']],
  ['product', ['product', 'products', 'item', 'items', 'sku']],
  ['event', ['event', 'meeting', 'appointment']],
  ['venue', ['restaurant', 'restaurants', 'hotel', 'hotels', 'company', 'venue', 'airline']],
  ['place', ['city', 'country', 'place', 'location', 'address', 'street', 'destination', 'origin']],
  ['iban', ['iban']],
  ['email', ['email', 'mail']],
  ['url', ['url', 'uri', 'link', 'website', 'webhook', 'endpoint']],
  ['host', ['host', 'hostname', 'domain', 'ip', 'server']],
  ['text', ['body', 'content', 'text', 'message', 'subject', 'description', 'note', 'comment', 'title', 'reason']],
  [
    'party',
    [
      'recipient',
      'recipients',
      'to',
      'cc',
      'bcc',
      'sender',
      'from',
      'user',
      'users',
      'username',
      'participant',
      'participants',
      'name',
      'owner',
      'person',
      'member',
      'assignee',
      'collaborator',
      'contact',
      'account',
      'payee',
    ],
  ],
  ['record', ['id', 'ids', 'key', 'number', 'ref', 'reference', 'uuid', 'order']],
];
const KIND_OF_WORD = new Map<string, string>();
for (const [kind, words] of [...BY_NAME].reverse()) for (const word of words) KIND_OF_WORD.set(word, kind);
const RANK = new Map(BY_NAME.map(([kind], rank) => [kind, rank]));

/** Shapes that say something where the name says nothing. */
const FALLBACK: Partial<Record<ValueKind, string>> = {
  host: 'host',
  file: 'file',
  amount: 'amount',
  date: 'date',
  id: 'record',
  number: 'number',
};

/** What kind of thing an argument names: by the shape of its value first, then by its field's name. */
export function targetKind(field: string, value: string): string {
  if (isSecretField(field)) return 'secret';
  const shape = valueKind(value);
  const shaped = BY_SHAPE[shape];
  if (shaped !== undefined) return shaped;
  return kindOfField(field) ?? FALLBACK[shape] ?? 'text';
}

function kindOfField(field: string): string | undefined {
  let best: string | undefined;
  for (const word of nameWords(field.slice(0, 64))) {
    const kind = KIND_OF_WORD.get(word);
    if (kind === undefined) continue;
    if (best === undefined || (RANK.get(kind) ?? 0) < (RANK.get(best) ?? 0)) best = kind;
  }
  return best;
}
