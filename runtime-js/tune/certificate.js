// A certificate that signs itself, for https in the local network: pages by http from another device have no WebGPU.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const VALID_DAYS = 30, DAY = 86_400_000;

// ASN.1's distinguished encoding, as far as a certificate needs it.
const TAGS = { integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, text: 0x0c, sequence: 0x30, set: 0x31, time: 0x17, version: 0xa0, extensions: 0xa3, address: 0x87, name: 0x82 };

/** @param {keyof typeof TAGS} tag @param {...Uint8Array} parts */
function der(tag, ...parts) {
  const body = Buffer.concat(parts), { length } = body;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([TAGS[tag], ...size]), body]);
}

/** @param {string} dotted */
function oid(dotted) {
  const [first, second, ...rest] = dotted.split('.').map(Number), bytes = [40 * first + second];
  for (const part of rest) {
    const digits = [part & 127];
    for (let high = part >> 7; high; high >>= 7) digits.unshift(high & 127 | 128);
    bytes.push(...digits);
  }
  return der('oid', Buffer.from(bytes));
}

const time = (/** @type {number} */ at) => der('time', Buffer.from(`${new Date(at).toISOString().replace(/^20|[-:T]|\.\d+/g, '')}`));
const ECDSA_WITH_SHA256 = der('sequence', oid('1.2.840.10045.4.3.2'));

/** @param {string[]} addresses IPv4 addresses and names that it is for @returns {{key: string, cert: string}} in PEM */
export function makeCertificate(addresses) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = der('sequence', der('set', der('sequence', oid('2.5.4.3'), der('text', Buffer.from('webnnc tune')))));
  const names = addresses.map((address) => /^[\d.]+$/.test(address) ? der('address', Buffer.from(address.split('.').map(Number))) : der('name', Buffer.from(address)));
  const subjectAltName = der('sequence', oid('2.5.29.17'), der('octets', der('sequence', ...names)));
  const body = der('sequence',
    der('version', der('integer', Buffer.from([2]))),
    der('integer', Buffer.from([1, ...randomBytes(15)])),
    ECDSA_WITH_SHA256, name,
    der('sequence', time(Date.now() - DAY), time(Date.now() + VALID_DAYS * DAY)),
    name, publicKey.export({ type: 'spki', format: 'der' }),
    der('extensions', der('sequence', subjectAltName)));
  const signature = sign('sha256', body, privateKey);
  const certificate = der('sequence', body, ECDSA_WITH_SHA256, der('bits', Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  };
}
