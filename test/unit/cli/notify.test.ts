import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { notify } from '../../../src/cli/notify.js';
import { MailCatcher, smtpRefusal } from '../../support/mail-catcher.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

describe('parallax notify test', () => {
  const catcher = new MailCatcher();
  let directory: { path: string; remove: () => void };

  beforeEach(async () => {
    await catcher.start();
    directory = temporaryDirectory();
  });
  afterEach(async () => {
    await catcher.stop();
    directory.remove();
  });

  /** Runs the command with these lines under `notify.mail`. */
  async function run(lines: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const file = join(directory.path, 'parallax.yaml');
    writeFileSync(file, `notify:\n  mail:\n${lines.map((line) => `    ${line}\n`).join('')}`);
    const said = { out: '', err: '' };
    const code = await notify.run({
      values: { config: file },
      positionals: ['test'],
      env,
      console: { out: (text) => (said.out += text), err: (text) => (said.err += text), isTerminal: false },
    });
    return { code, ...said };
  }

  const basic = () => ['host: 127.0.0.1', `port: ${catcher.port}`, 'from: parallax@a.example', 'to: [ops@b.example]'];

  it('sends a sample and says what the server answered', async () => {
    const { code, out } = await run(basic());
    expect([code, out]).toEqual([0, expect.stringMatching(/^sent to ops@b\.example; the server answered: 250 /)]);
    await catcher.parsed();
    expect(catcher.mails.at(-1)?.subject).toBe('[Parallax] test message: mail works');
  });

  it('takes the password from a variable, also one that looks like a setting, or from a file', async () => {
    const byVariable = [...basic(), 'user: kim', 'passwordEnv: PARALLAX_MAIL_PASSWORD'];
    expect((await run(byVariable, { PARALLAX_MAIL_PASSWORD: 'from env' })).code).toBe(0);
    writeFileSync(join(directory.path, 'password'), 'from file\n');
    const byFile = [...basic(), 'user: kim', `passwordFile: ${join(directory.path, 'password')}`];
    expect((await run(byFile)).code).toBe(0);
    expect(catcher.logins).toEqual(['kim:from env', 'kim:from file']);
    await expect(run(byVariable)).rejects.toThrow(/PARALLAX_MAIL_PASSWORD: is not set/);
  });

  it('says what the server objected to', async () => {
    catcher.refuse = () => smtpRefusal(554, 'no samples here');
    const { code, err } = await run(basic());
    expect([code, err]).toEqual([1, expect.stringContaining('no samples here')]);
    await catcher.stop();
    expect((await run(basic())).err).toContain(`127.0.0.1:${catcher.port}`);
  });

  it.each([
    ['a second address', ['to: ["a@b.example, c@d.example"]'], /to\.0: use one plain address/],
    ['a line break', ['to: ["a@b.example\\r\\nBcc: c@d.example"]'], /to\.0: use one plain address/],
    ['a setting that is not one', ['password: secret'], /notify\.mail\.password: is no setting/],
    ['a user without a password', ['user: kim'], /give user together with/],
    ['a password in the address', ['baseUrl: "https://kim:secret@a.example"'], /baseUrl: leave user and password out/],
    ['a script as address of the observer', ['baseUrl: "javascript:alert(1)"'], /baseUrl: Invalid URL/],
  ])('refuses %s', async (_what, lines, message) => {
    const own = new Set(lines.map((line) => line.split(':')[0]));
    const rest = basic().filter((line) => !own.has(line.split(':')[0]));
    await expect(run([...rest, ...lines])).rejects.toThrow(message);
  });
});
