import { expect, it } from 'vitest';
import { effectOfTool } from '../../../src/normalize/tool-effect.js';

it.each([
  ['get_balance', 'read'],
  ['read_channel_messages', 'read'],
  ['searchEmails', 'read'],
  ['mail.send', 'write'],
  ['send_money', 'write'],
  ['update_password', 'auth'],
  ['login_shopping_account', 'auth'],
  ['verifyTransaction', 'auth'],
  ['HTTPGet', 'read'],
  ['frobnicate', 'write'],
  ['', 'write'],
])('%s -> %s', (tool, effect) => {
  expect(effectOfTool(tool)).toBe(effect);
});
