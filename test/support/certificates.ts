import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** PEM files. */
export interface CertificateFiles {
  certFile: string;
  keyFile: string;
}

/** A certificate authority of a test. It needs `openssl`, as every machine that builds Node has. */
export class TestAuthority {
  readonly caFile: string;
  readonly #keyFile: string;
  readonly #directory: string;

  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.caFile = join(directory, `${name}.pem`);
    this.#keyFile = join(directory, `${name}.key`);
    openssl(
      'req',
      '-x509',
      ...NEW_KEY,
      '-keyout',
      this.#keyFile,
      '-out',
      this.caFile,
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  }

  /** @param hosts as in a certificate's alternative names: `IP:127.0.0.1` */
  issue(name: string, hosts: string): CertificateFiles {
    const [certFile, keyFile] = [join(this.#directory, `${name}.pem`), join(this.#directory, `${name}.key`)];
    const request = join(this.#directory, `${name}.csr`);
    const extensions = join(this.#directory, `${name}.ext`);
    writeFileSync(extensions, `subjectAltName=${hosts}\n`);
    openssl('req', ...NEW_KEY, '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`);
    const signed = ['-CA', this.caFile, '-CAkey', this.#keyFile, '-CAcreateserial', '-extfile', extensions];
    openssl('x509', '-req', '-in', request, '-out', certFile, '-days', '2', ...signed);
    return { certFile, keyFile };
  }
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
