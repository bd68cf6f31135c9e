import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../../../src/config.js';
import { ClientKeys, observerKey } from '../../../../src/gateway/mcp/secrets.js';
import { loadMcpSettings } from '../../../../src/gateway/mcp/settings.js';
import { openTransports } from '../../../../src/gateway/mcp/transport.js';
import { repositoryRoot } from '../../../support/recorded.js';
import { temporaryDirectory } from '../../../support/temporary-directory.js';

const BASE = `
observer: { url: 'http://127.0.0.1:7700', keyEnv: PARALLAX_KEY }
servers: { files: { command: npx, args: [-y, server] } }
`;

describe('the configuration of the MCP gateway', () => {
  const directory = temporaryDirectory();
  const file = join(directory.path, 'gateway.yaml');
  afterAll(() => directory.remove());

  function load(text: string) {
    writeFileSync(file, text);
    return loadMcpSettings(file);
  }

  it('fills in what is left out, and takes paths from the file’s own folder', () => {
    const settings = load(`${BASE}clients: [{ id: ann, keyFile: ann.key }]\nstateDir: state\n`);
    expect(settings).toMatchObject({
      gatewayId: 'gateway',
      rules: { default: 'allow', tools: [] },
      changedTools: 'refuse',
      servers: { files: { command: 'npx', args: ['-y', 'server'], env: {}, stderr: 'discard', annotations: 'trust' } },
      stateDir: join(directory.path, 'state'),
      clients: [{ id: 'ann', keyFile: join(directory.path, 'ann.key') }],
    });
  });

  it.each<[string, string, RegExp]>([
    ['no server', "observer: { url: 'http://h', keyEnv: K }\nservers: {}\n", /servers: is empty; name at least one/],
    ['a mistyped setting', `${BASE}rulez: 1\n`, /rulez: is no setting here; remove it/],
    [
      'a mistyped setting of a server',
      BASE.replace('command: npx', 'command: npx, argz: []'),
      /servers\.files\.argz: is no/,
    ],
    ['a server without a way', BASE.replace('command: npx, ', ''), /servers\.files\.command: is missing; give text/],
    ['a bad name of a server', BASE.replace('files:', 'my_files:'), /servers\.my_files: is no usable name of a server/],
    [
      'a secret in place',
      `${BASE}clients: [{ id: ann, keyEnv: 'my secret' }]\n`,
      /clients\.0\.keyEnv: must be the name of an/,
    ],
    ['no key of a client', `${BASE}clients: [{ id: ann }]\n`, /clients\.0: give exactly one of keyEnv, keyFile/],
    [
      'a password in an address',
      BASE.replace('{ command: npx, args: [-y, server] }', "{ url: 'http://u:p@h/mcp' }"),
      /servers\.files\.url: must hold no user or password/,
    ],
    [
      'a rule that says nothing known',
      `${BASE}rules: { default: never }\n`,
      /rules\.default: must be one of allow, ask, deny/,
    ],
    [
      'a time that is none',
      `${BASE}timeouts: { callMs: soon }\n`,
      /timeouts\.callMs: must be a (finite )?(whole )?number/,
    ],
  ])('refuses %s, naming file, path and fix', (_, text, message) => {
    expect(() => load(text)).toThrow(ConfigError);
    expect(() => load(text)).toThrow(message);
    expect(() => load(text)).toThrow(file);
  });

  it('is what the documentation shows, and all of it', () => {
    const text = readFileSync(join(repositoryRoot, 'docs', 'mcp-gateway.md'), 'utf8');
    const [small = '', clients = ''] = [...text.matchAll(/^```yaml\n([^]*?)^```$/gm)].map(([, yaml = '']) => yaml);
    const settings = load(`${small}${clients}`);
    expect(Object.keys(settings.servers)).toEqual(['files']);
    const documented = [...text.matchAll(/^\| `([a-z]+)/gim)].map(([, name]) => name);
    expect(new Set(documented)).toEqual(new Set([...Object.keys(settings), 'baselinesDir', 'stateDir']));
    for (const group of [settings.timeouts, settings.limits]) {
      for (const name of Object.keys(group)) expect(text).toContain(`\`${name}\``);
    }
  });

  it('looks secrets up where they are named, and says which is missing', () => {
    const settings = load(BASE.replace('args: [-y, server]', 'env: { TOKEN: FILES_TOKEN }'));
    expect(() => observerKey(settings.observer, {})).toThrow('observer: keyEnv PARALLAX_KEY: is not set');
    expect(() => observerKey(settings.observer, { PARALLAX_KEY: 'short' })).toThrow(
      'holds 5 characters; use 16 to 512',
    );
    expect(observerKey(settings.observer, { PARALLAX_KEY: 'x'.repeat(20) })).toBe('x'.repeat(20));
    expect(() => openTransports(settings, {})).toThrow('servers.files.env.TOKEN: FILES_TOKEN is not set; export it');
    expect([...openTransports(settings, { FILES_TOKEN: 'x' }).keys()]).toEqual(['files']);
  });

  it('knows a client by its key alone', () => {
    const [ann, bob] = ['a'.repeat(20), 'b'.repeat(20)];
    const clients = [
      { id: 'ann', keyEnv: 'ANN', agentId: 'coder-ann' },
      { id: 'bob', keyEnv: 'BOB' },
    ];
    const keys = new ClientKeys(clients, { ANN: ann, BOB: bob });
    expect(keys.holderOf(`Bearer ${ann}`)).toEqual({ id: 'ann', agentId: 'coder-ann' });
    expect(keys.holderOf(`bearer ${bob}`)).toEqual({ id: 'bob', agentId: 'bob' });
    for (const header of [undefined, '', ann, `Bearer ${ann}x`, `Basic ${ann}`, `Bearer ${ann.repeat(100)}`]) {
      expect(keys.holderOf(header)).toBeUndefined();
    }
    expect(() => new ClientKeys(clients, { ANN: ann, BOB: ann })).toThrow('has the same key as "ann"');
  });
});
