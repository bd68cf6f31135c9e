const CONTAINED = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'apikey',
  'accesskey',
  'privatekey',
  'sshkey',
  'accesstoken',
  'refreshtoken',
  'authtoken',
  'bearertoken',
  'sessiontoken',
  'securitycode',
];
const WHOLE = new Set([
  'token',
  'pwd',
  'pass',
  'pin',
  'cvv',
  'cvc',
  'otp',
  'authorization',
  'credential',
  'credentials',
]);

/** Whether a field's name says that its value is a secret: `new_password`, `apiKey`, `Authorization`. */
export function isSecretField(field: string): boolean {
  if (field.length > 64) return false;
  let letters = '';
  for (let i = 0; i < field.length; i++) {
    const code = field.charCodeAt(i) | 32;
    if (code >= 97 && code <= 122) letters += String.fromCharCode(code);
  }
  return WHOLE.has(letters) || CONTAINED.some((part) => letters.includes(part));
}
