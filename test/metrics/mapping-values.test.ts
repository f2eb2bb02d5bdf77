import fc from 'fast-check';
import { dateReader, isoDate, serialDate } from '../../src/modules/metrics/imports/mappings/dates.js';
import { readNumber, roundedToCents, typedNumber } from '../../src/modules/metrics/imports/mappings/numbers.js';
import { delimiterIn } from '../../src/modules/metrics/imports/reading/csv-rows.js';

describe('Numbers as people write them', () => {
  it.each([
    ['1.234,56', ',', '1234.56'],
    ['1.234.567', ',', '1234567'],
    ['1 234,5', ',', '1234.5'],
    ["1'234.50", '.', '1234.50'],
    ['$1,234.56', '.', '1234.56'],
    ['-$5', '.', '-5'],
    ['$-5', '.', '-5'],
    ['(120.00)', '.', '-120.00'],
    ['($1,120.00)', '.', '-1120.00'],
    ['12,5 €', ',', '12.5'],
    ['EUR 12', '.', '12'],
    ['5-', '.', '-5'],
    ['−5', '.', '-5'],
    ['12.5 %', '.', '12.5'],
    ['.5', '.', '0.5'],
    ['007', '.', '7'],
  ] as const)('%s with %s before the decimals is %s', (text, separator, value) => {
    expect(readNumber(text, separator)).toBe(value);
  });

  it.each([
    ['1,23', '.'],
    ['1.234,56', '.'],
    ['1,234.56', ','],
    ['1.23', ','],
    ['--5', '.'],
    ['(-5)', '.'],
    ['abc', '.'],
    ['', '.'],
    ['-', '.'],
    ['1e5', '.'],
    ['Infinity', '.'],
    ['0x10', '.'],
    ['12/3', '.'],
  ] as const)('%s with %s before the decimals is none', (text, separator) => {
    expect(readNumber(text, separator)).toBeUndefined();
  });

  it('come out as they went in, whichever way they are written', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000_000, max: 1_000_000_000 }), (cents) => {
        const plain = (cents / 100).toFixed(2);
        const german = new Intl.NumberFormat('de-DE', { minimumFractionDigits: 2 }).format(cents / 100);
        const american = new Intl.NumberFormat('en-US', {
          style: 'currency',
          currency: 'USD',
          currencySign: 'accounting',
        }).format(cents / 100);
        expect(Number(readNumber(german, ','))).toBe(Number(plain));
        expect(Number(readNumber(american, '.'))).toBe(Number(plain));
      }),
    );
  });

  it('typed by a spreadsheet lose the noise of their last digits, and are rounded as money is', () => {
    expect([0.1 + 0.2, 1e-7, 123456.78, -1.005].map((value) => typedNumber(value))).toEqual([
      '0.3',
      '0.0000001',
      '123456.78',
      '-1.005',
    ]);
    expect([Number.NaN, Number.POSITIVE_INFINITY, 1e15].map((value) => typedNumber(value))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(['-1.005', '0.004', '99.995', '12.3', '5'].map(roundedToCents)).toEqual([
      '-1.01',
      '0.00',
      '100.00',
      '12.3',
      '5',
    ]);
  });
});

describe('Dates', () => {
  it.each([
    ['DD.MM.YYYY', '01.03.2025', '2025-03-01'],
    ['D/M/YYYY', '3/4/2025', '2025-04-03'],
    ['M/D/YYYY', '3/4/2025', '2025-03-04'],
    ['DD-MM-YY', '31-12-99', '1999-12-31'],
    ['D.M.YY', '1.2.26', '2026-02-01'],
    ['YYYY/MM/DD', '2024/02/29', '2024-02-29'],
    ['DD.MM.YYYY', '2025-03-01', '2025-03-01'],
  ])('written as %s, %s is %s', (format, text, day) => {
    expect(dateReader(format)?.(text)).toBe(day);
  });

  it.each([
    ['DD.MM.YYYY', '29.02.2025'],
    ['DD.MM.YYYY', '1.3.2025'],
    ['DD.MM.YYYY', '03/01/2025'],
    ['M/D/YYYY', '13/1/2025'],
    ['YYYY-MM-DD', '2025-3-1'],
    ['YYYY-MM-DD', '0000-01-01'],
  ])('written as %s, %s is none', (format, text) => {
    expect(dateReader(format)?.(text)).toBeUndefined();
  });

  it('have formats that name a day, a month and a year once each, between common separators', () => {
    const unknown = ['DD.MM', 'DD.MM.YYYY.DD', 'YYYY', 'DD.MMM.YYYY', 'hh:mm', '', '(DD)MM+YYYY', 'DD*MM*YYYY'];
    expect(unknown.map((format) => dateReader(format))).toEqual(unknown.map(() => undefined));
  });

  it('of spreadsheets count from 1900 or 1904', () => {
    expect([serialDate(45717), serialDate(45717.99), serialDate(44255, true), serialDate(0), serialDate(1e9)]).toEqual([
      '2025-03-01',
      '2025-03-01',
      '2025-03-01',
      undefined,
      undefined,
    ]);
    expect(isoDate('2025-02-30')).toBeUndefined();
  });
});

describe('The separator of a file', () => {
  it('is what separates most in its first lines, outside of quotes', () => {
    expect(delimiterIn('"a,b,c,d";2\n1;2')).toBe(';');
    expect(delimiterIn('Title\n\na\tb\tc\n1,5\t2\t3')).toBe('\t');
    expect(delimiterIn('a,b\n1,2')).toBe(',');
  });
});
