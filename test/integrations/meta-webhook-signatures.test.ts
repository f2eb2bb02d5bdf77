import { createHmac } from 'node:crypto';
import { WebhookSignatures } from '../../src/integrations/meta/webhook-signatures.js';

/** What Meta signs, byte for byte: the same JSON may be written in many ways, and only one of them was signed. */

const secret = 'the-secret-of-the-app';
const earlier = 'the-secret-before-it';
const signatures = new WebhookSignatures([secret, earlier]);

const signed = (body: string | Buffer, key = secret) =>
  `sha256=${createHmac('sha256', key).update(body).digest('hex')}`;
const isValid = (body: string | Buffer, header: string | undefined) => signatures.isValid(Buffer.from(body), header);

const delivery = {
  object: 'page',
  entry: [{ id: '1', messaging: [{ message: { mid: 'm_1', text: 'Grüß Gott 🦷 / <b>مرحبا</b>' } }] }],
};
const compact = JSON.stringify(delivery);
const pretty = JSON.stringify(delivery, null, 2);
/** As Meta writes it: everything beyond ASCII escaped, in lower-case hex; slashes as well. */
const escaped = compact
  .replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
  .replaceAll('/', '\\/');

/** The bytes that the known answers of RFC 4231 (case 2) are about. */
const rfcKey = 'Jefe';
const rfcBody = 'what do ya want for nothing?';
const rfcHex = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';

function flipped(text: string, index: number): string {
  const bytes = Buffer.from(text);
  bytes.writeUInt8(bytes.readUInt8(index) ^ 1, index);
  return bytes.toString('latin1');
}

describe('The signature of a webhook', () => {
  it('is an HMAC-SHA256 in hex', () => {
    expect(new WebhookSignatures([rfcKey]).isValid(Buffer.from(rfcBody), `sha256=${rfcHex}`)).toBe(true);
  });

  it.each([
    ['compact', compact],
    ['pretty-printed', pretty],
    ['with everything beyond ASCII escaped', escaped],
    ['with a line break at its end', `${compact}\n`],
    ['empty', ''],
    ['no JSON at all', 'hello'],
  ])('is right over exactly the bytes that came: %s', (_, body) => {
    expect(isValid(body, signed(body))).toBe(true);
    expect(isValid(`${body} `, signed(body))).toBe(false);
  });

  it('is right over bytes that are no text', () => {
    const bytes = Buffer.from([0, 0xff, 0xfe, 0x80, 0x0a]);
    expect(isValid(bytes, signed(bytes))).toBe(true);
    expect(isValid(Buffer.from(bytes.toString()), signed(bytes))).toBe(false);
  });

  it('is another one for the same JSON written otherwise', () => {
    expect(JSON.parse(escaped)).toEqual(JSON.parse(pretty));
    for (const [written, other] of [
      [escaped, compact],
      [compact, pretty],
      [escaped, JSON.stringify(JSON.parse(escaped))],
    ] as const)
      expect(isValid(other, signed(written))).toBe(false);
  });

  it('is wrong when any one bit of the body is another', () => {
    const body = Buffer.from(escaped);
    const header = signed(body);
    for (let bit = 0; bit < body.length * 8; bit += 1) {
      const spoilt = Buffer.from(body);
      spoilt.writeUInt8(spoilt.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      expect(isValid(spoilt, header)).toBe(false);
    }
    expect(isValid(body, header)).toBe(true);
  });

  it('is wrong when any one character of it is another', () => {
    const header = signed(compact);
    for (let index = 0; index < header.length; index += 1) expect(isValid(compact, flipped(header, index))).toBe(false);
  });

  it.each([
    ['none', undefined],
    ['an empty one', ''],
    ['without its prefix', signed(compact).slice('sha256='.length)],
    ['of another algorithm', `sha1=${createHmac('sha1', secret).update(compact).digest('hex')}`],
    ['with the prefix of another algorithm', signed(compact).replace('sha256', 'sha1')],
    ['in upper case', `sha256=${signed(compact).slice(7).toUpperCase()}`],
    ['with an upper-case prefix', signed(compact).replace('sha256', 'SHA256')],
    ['one digit short', signed(compact).slice(0, -1)],
    ['one byte short', signed(compact).slice(0, -2)],
    ['one byte long', `${signed(compact)}00`],
    ['in base64', `sha256=${createHmac('sha256', secret).update(compact).digest('base64')}`],
    ['with a space', ` ${signed(compact)}`],
    ['with a line break', `${signed(compact)}\n`],
    ['twice, as a proxy joins headers', `${signed(compact)}, ${signed(compact)}`],
    ['of another secret', signed(compact, 'another')],
    ['of the empty secret', signed(compact, '')],
  ])('is not taken: %s', (_, header) => {
    expect(isValid(compact, header)).toBe(false);
  });

  it('may be of either secret while it is being changed, and of one that is gone no longer', () => {
    expect(isValid(compact, signed(compact, earlier))).toBe(true);
    expect(new WebhookSignatures([secret]).isValid(Buffer.from(compact), signed(compact, earlier))).toBe(false);
    expect(new WebhookSignatures([earlier, secret]).isValid(Buffer.from(compact), signed(compact))).toBe(true);
  });

  it.each([[[]], [['']]])('is never right where there is no app: %j', (secrets) => {
    const without = new WebhookSignatures(secrets);
    expect(without.isValid(Buffer.from(compact), signed(compact, ''))).toBe(false);
    expect(without.isValid(Buffer.from(''), signed('', ''))).toBe(false);
  });
});
