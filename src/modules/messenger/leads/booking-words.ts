/**
 * What people write who want an appointment, where a doctor has named no words of their own. Words that are also said
 * for other reasons (price, when, please) are left out: a comment too few can be answered by hand, one too many is
 * answered to somebody who asked for nothing.
 */
export const bookingWords: readonly string[] = [
  // English
  ...['appointment*', 'book', 'booking*', 'schedule a visit', 'check-up', 'checkup', 'consultation*', 'sign me up'],
  // German
  ...['termin', 'termine', 'terminvereinbarung', 'beratungstermin', 'sprechstunde', 'anmelden'],
  // French
  ...['rendez-vous', 'rdv', 'prendre rendez*', 'consultation*'],
  // Spanish, Portuguese, Italian
  ...['cita', 'citas', 'agendar', 'reservar', 'turno'],
  ...['consulta', 'marcar consulta', 'agendamento*', 'marcação'],
  ...['appuntament*', 'prenot*'],
  // Dutch, Polish, Turkish
  ...['afspraak', 'afspraken', 'wizyt*', 'umówić', 'randevu*'],
  // Russian, Ukrainian, Greek
  ...['запис*', 'на приём', 'запиш*', 'ραντεβού'],
  // Arabic, Persian, Hebrew, Hindi
  ...['موعد', 'حجز', 'احجز', 'نوبت', 'وقت بگیرم', 'תור', 'לקבוע תור', 'अपॉइंटमेंट'],
  // Chinese, Japanese, Korean, Thai, Vietnamese, Indonesian
  ...['预约', '預約', '挂号', '予約', '예약*', 'นัดหมาย', 'จองคิว', 'đặt lịch', 'đặt hẹn', 'janji temu'],
  // What needs no language
  '📅',
];
