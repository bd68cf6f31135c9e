import { ConfigError, loadConfig } from '../config.js';
import { systemClock } from '../lib/clock.js';
import { sampleNotice } from '../notify/sample.js';
import { openMail } from '../notify/start-mail.js';
import { textOf, UsageError, type CliCommand } from './command.js';

export const notify: CliCommand = {
  name: 'notify',
  usage: 'test [--config FILE]',
  summary: 'send one sample message and say what the mail server answered',
  options: { config: { type: 'string' } },
  help: { config: 'YAML configuration with the section notify.mail' },
  run: async (context) => {
    if (context.positionals[0] !== 'test') throw new UsageError('say "parallax notify test"');
    const config = loadConfig(textOf(context, 'config') ?? context.env['PARALLAX_CONFIG'], context.env);
    const { mail } = config.notify;
    if (mail === undefined) {
      throw new ConfigError('notify.mail: is not set; give at least host, from and to, for example in --config FILE');
    }
    const channel = openMail(mail, context.env, systemClock);
    try {
      const answer = await channel.send(sampleNotice(systemClock.now()), AbortSignal.timeout(60_000));
      context.console.out(`sent to ${mail.to.join(', ')}; the server answered: ${answer}\n`);
      return 0;
    } catch (error) {
      context.console.err(`not sent: ${error instanceof Error ? error.message : String(error)}\n`);
      return 1;
    } finally {
      await channel.close();
    }
  },
};
