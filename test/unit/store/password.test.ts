import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { storePassword } from '../../../src/store/password.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const directory = temporaryDirectory();
afterAll(() => directory.remove());

describe('the password of the store', () => {
  it('comes from a file, from the environment, or is empty', () => {
    const file = join(directory.path, 'password');
    writeFileSync(file, 'from-a-file\n');
    expect(storePassword({ passwordFile: file }, {})).toBe('from-a-file');
    expect(storePassword({ passwordEnv: 'NAME' }, { NAME: 'from-the-environment' })).toBe('from-the-environment');
    expect(storePassword({}, { NAME: 'x' })).toBe('');
  });

  it('names the file that cannot be read, and the cause', () => {
    const file = join(directory.path, 'nothing-here');
    expect(() => storePassword({ passwordFile: file }, {})).toThrow(/nothing-here: cannot be read \(ENOENT\)/);
  });
});
