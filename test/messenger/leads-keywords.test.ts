import { findKeyword, isKeyword } from '../../src/modules/messenger/leads/keyword-matching.js';

/** Which comments ask for an appointment, as people write under posts. */

describe('A keyword', () => {
  it.each([
    // As it stands, and written otherwise.
    ['I want to book!', 'book'],
    ['BOOK me in', 'book'],
    ['book', 'BOOK'],
    ['𝗕𝗼𝗼𝗸 please', 'book'],
    ['ｂｏｏｋ', 'book'],
    ['bo\u200bok', 'book'],
    ['#book', 'book'],
    ['(book)', 'book'],
    ['can I get an  appointment?', 'an appointment'],
    ['an\nappointment', 'an appointment'],
    ['check-up tomorrow', 'check up'],
    ['check up', 'check\u2011up'],
    ['what’s the price', "what's the price"],
    // Languages.
    ['Wie bekomme ich einen TERMIN?', 'termin'],
    ['Terminvereinbarung bitte', 'termin*'],
    ['STRASSENBAHN', 'straße*'],
    ['quiero una CITA, cuanto cuesta', 'cuánto cuesta'],
    ['¿cuánto cuesta?', 'cuanto cuesta'],
    ['rendez\u2010vous svp', 'rendez-vous'],
    ['je voudrais réserver', 'reserver'],
    ['RE\u0301SERVER', 'réserver'],
    ['İSTANBUL RANDEVU', 'istanbul randevu'],
    ['Θέλω ΡΑΝΤΕΒΟΎ', 'ραντεβού'],
    ['хочу ЗАПИСАТЬСЯ на приём', 'запис*'],
    ['хочу на прием', 'приём'],
    ['أريد حجز موعد', 'موعد'],
    ['أريد مَوْعِد', 'موعد'],
    ['אפשר לקבוע תוֹר?', 'תור'],
    ['我想预约一下', '预约'],
    ['予約したいです', '予約'],
    ['อยากนัดหมายค่ะ', 'นัดหมาย'],
    ['예약 가능할까요', '예약'],
    ['मुझे अपॉइंटमेंट चाहिए', 'अपॉइंटमेंट'],
    // What is no word at all.
    ['📅 please', '📅'],
    ['ok👍🏽', '👍'],
    ['c++ or 24/7?', '24/7'],
    ['@ada book me', 'book'],
  ])('is found in %j: %j', (text, keyword) => {
    expect(findKeyword(text, ['nothing of it', keyword])).toBe(keyword);
  });

  it.each([
    ['I love facebook', 'book'],
    ['bookworm', 'book'],
    ['book2go', 'book'],
    ['book_shop', 'book'],
    ['notebook', 'book*'],
    ['Determination', 'termin*'],
    ['appointments', 'appointment'],
    ['an unexpected appointment', 'an appointment'],
    ['ask @book', 'book'],
    ['see https://example.com/book', 'book'],
    ['ασθενής', 'ασθ'],
    ['записка', 'запись'],
    ['예약금', '예약'],
    ['मकान', 'मका'],
    ['नमस्ते', 'नमस'],
    ['', 'book'],
    ['book', ''],
    ['book', '*'],
    ['anything', '\u200b'],
  ])('is not found in %j: %j', (text, keyword) => {
    expect(findKeyword(text, [keyword])).toBeUndefined();
  });

  it('is the first of the list that is found', () => {
    expect(findKeyword('price and appointment', ['appointment', 'price'])).toBe('appointment');
    expect(findKeyword('price and appointment', [])).toBeUndefined();
  });

  it('holds something to look for', () => {
    for (const text of ['book', '预约', '📅', 'termin*']) expect(isKeyword(text)).toBe(true);
    for (const text of ['', ' ', '*', ' * ', '\u200b', '\u0301', '-']) expect(isKeyword(text)).toBe(false);
  });

  it('does not take long to be sought, whatever somebody writes', () => {
    const keywords = Array.from({ length: 100 }, (_, index) => `${'a'.repeat(50)}${index}`);
    const started = performance.now();
    for (const text of ['a'.repeat(2_200), `${'@'.repeat(2_200)}`, '\u0301'.repeat(2_200), 'http://'.repeat(300)])
      expect(findKeyword(text, keywords)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(500);
  });
});
